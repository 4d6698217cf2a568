"""Functions of SQL that turn stored evidence into decisions: debiasing can be tried in a query, without asking a model again.

They work on the labels alone, as the post-hoc methods do. What looks at single tokens (vdd, vcd, masks) is decided by
`mmplat decide`; a query would only come near it.
"""

from mmplat.metrics.intervals import Z95

EPSILON = 1e-4
"""The smoothing of the registered post-hoc methods."""

DESCRIPTIONS = {
    "wilson(k, n)": "Wilson's 95 % interval of k right among n independent samples, as a struct of value, low and high",
    "softmax(logits)": "probabilities of labels from their logits",
    "posthoc(label_logits, reference_logits, epsilon := 1e-4)": "probabilities after dividing by those of a reference view",
    "answer_of(probs, labels)": "the likeliest of the labels",
    "accuracy_of(probs, labels, gold)": "share of rows where the likeliest of the labels is right, over a group",
    "expected_accuracy_of(probs, labels, gold)": "mean probability of the right label, over a group",
    "leaderboard_by(metric, lowest_first := false)": "the leaderboard by another metric, as a table",
}

SQL = f"""
CREATE MACRO wilson(k, n) AS CASE WHEN n > 0 THEN struct_pack(
  value := k / n,
  low := greatest(0, (k / n + {Z95} ** 2 / (2 * n) - {Z95} * sqrt(k / n * (1 - k / n) / n + {Z95} ** 2 / (4 * n * n)))
                     / (1 + {Z95} ** 2 / n)),
  high := least(1, (k / n + {Z95} ** 2 / (2 * n) + {Z95} * sqrt(k / n * (1 - k / n) / n + {Z95} ** 2 / (4 * n * n)))
                   / (1 + {Z95} ** 2 / n))
) END;
CREATE MACRO softmax(logits) AS list_transform(
  logits,
  lambda logit_: exp(CAST(logit_ AS DOUBLE) - list_max(logits))
                 / list_sum(list_transform(logits, lambda other_: exp(CAST(other_ AS DOUBLE) - list_max(logits))))
);
CREATE MACRO normalised(weights) AS list_transform(weights, lambda weight_: weight_ / list_sum(weights));
CREATE MACRO posthoc(label_logits, reference_logits, epsilon := {EPSILON}) AS normalised(list_transform(
  list_zip(softmax(label_logits), softmax(reference_logits)), lambda pair_: pair_[1] / (pair_[2] + epsilon)
));
CREATE MACRO answer_of(probs, labels) AS labels[list_position(probs, list_max(probs))];
CREATE MACRO accuracy_of(probs, labels, gold) AS avg(CAST(answer_of(probs, labels) = gold AS INTEGER));
CREATE MACRO expected_accuracy_of(probs, labels, gold) AS avg(probs[list_position(labels, gold)]);
"""
