CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);
CREATE TABLE public.campaigns (
    campaign character varying NOT NULL,
    grid json NOT NULL,
    grid_text text NOT NULL,
    cells bigint NOT NULL,
    planned bigint NOT NULL,
    skipped json NOT NULL,
    forwards bigint,
    forwards_cell_by_cell bigint
);
CREATE TABLE public.decided (
    campaign character varying NOT NULL,
    model character varying NOT NULL,
    suite character varying NOT NULL,
    fingerprint character varying NOT NULL,
    runs bigint NOT NULL,
    failed bigint NOT NULL,
    seconds double precision NOT NULL
);
CREATE TABLE public.metrics (
    run_id character varying NOT NULL,
    metric character varying NOT NULL,
    subset character varying NOT NULL,
    value double precision,
    low double precision,
    high double precision,
    n bigint NOT NULL
);
CREATE TABLE public.models (
    campaign character varying NOT NULL,
    model character varying NOT NULL,
    key character varying NOT NULL,
    identity json NOT NULL
);
CREATE TABLE public.published_figures (
    source character varying NOT NULL,
    place character varying NOT NULL,
    model character varying NOT NULL,
    suite character varying NOT NULL,
    method character varying NOT NULL,
    decoding character varying NOT NULL,
    metric character varying NOT NULL,
    subset character varying NOT NULL,
    value double precision NOT NULL,
    certainty character varying NOT NULL,
    note character varying NOT NULL
);
CREATE TABLE public.runs (
    run_id character varying NOT NULL,
    campaign character varying NOT NULL,
    model character varying NOT NULL,
    suite character varying NOT NULL,
    decoding character varying NOT NULL,
    method character varying NOT NULL,
    seed bigint NOT NULL,
    status character varying NOT NULL,
    error text,
    n bigint NOT NULL,
    n_failed bigint NOT NULL,
    n_near_ties bigint NOT NULL,
    forward_passes bigint NOT NULL,
    seconds double precision NOT NULL,
    device character varying NOT NULL,
    dtype character varying NOT NULL,
    git_revision character varying,
    git_dirty boolean,
    model_key character varying NOT NULL,
    suite_key character varying NOT NULL,
    evidence_key character varying NOT NULL,
    settings json NOT NULL,
    versions json NOT NULL,
    origin character varying DEFAULT 'measured'::character varying NOT NULL
);
CREATE TABLE public.suites (
    campaign character varying NOT NULL,
    suite character varying NOT NULL,
    key character varying NOT NULL,
    kind character varying NOT NULL,
    version bigint NOT NULL,
    n bigint NOT NULL,
    content_id character varying NOT NULL,
    params json NOT NULL
);
INSERT INTO public.alembic_version VALUES ('0002');
INSERT INTO public.campaigns VALUES ('demo', '{"decodings": ["greedy"], "methods": ["naive", "vdd-unk", "broken"], "models": ["tiny"], "suites": ["world-objects", "world-facts"]}', '{"models": ["tiny"], "suites": ["world-objects", "world-facts"], "decodings": ["greedy"], "methods": ["naive", "vdd-unk", "broken"]}', 6, 6, '[{"cells": 1, "method": "vcd", "model": "tiny", "reason": "vcd needs an image", "suite": "text"}]', 12, 36);
INSERT INTO public.decided VALUES ('demo', 'tiny', 'world-facts', 'ae74c854b5299f3f', 3, 1, 1.5);
INSERT INTO public.decided VALUES ('demo', 'tiny', 'world-objects', '9da1882d107a19ad', 3, 1, 1.5);
INSERT INTO public.metrics VALUES ('f2514d54194a808a', 'expected_accuracy', 'all', 0.25, 0.15, 0.35, 6);
INSERT INTO public.metrics VALUES ('f2514d54194a808a', 'expected_accuracy', 'split=hard', 0.125, 0.024999999999999994, 0.225, 6);
INSERT INTO public.metrics VALUES ('f2514d54194a808a', 'unparsed', 'all', 0.125, 0.024999999999999994, 0.225, 6);
INSERT INTO public.metrics VALUES ('f2514d54194a808a', 'precision', 'all', NULL, NULL, NULL, 6);
INSERT INTO public.metrics VALUES ('f2514d54194a808a', 'accuracy', 'all', 0.25, 0.15, 0.35, 6);
INSERT INTO public.metrics VALUES ('b9b0bb87d4468c3c', 'expected_accuracy', 'all', 0.875, 0.775, 0.975, 6);
INSERT INTO public.metrics VALUES ('b9b0bb87d4468c3c', 'expected_accuracy', 'split=hard', 0.4375, 0.3375, 0.5375, 6);
INSERT INTO public.metrics VALUES ('b9b0bb87d4468c3c', 'unparsed', 'all', 0.125, 0.024999999999999994, 0.225, 6);
INSERT INTO public.metrics VALUES ('b9b0bb87d4468c3c', 'precision', 'all', NULL, NULL, NULL, 6);
INSERT INTO public.metrics VALUES ('b9b0bb87d4468c3c', 'accuracy', 'all', 0.875, 0.775, 0.975, 6);
INSERT INTO public.metrics VALUES ('7ee1398cc3151193', 'expected_accuracy', 'all', 0.5625, 0.4625, 0.6625, 6);
INSERT INTO public.metrics VALUES ('7ee1398cc3151193', 'expected_accuracy', 'split=hard', 0.28125, 0.18125, 0.38125, 6);
INSERT INTO public.metrics VALUES ('7ee1398cc3151193', 'unparsed', 'all', 0.125, 0.024999999999999994, 0.225, 6);
INSERT INTO public.metrics VALUES ('7ee1398cc3151193', 'precision', 'all', NULL, NULL, NULL, 6);
INSERT INTO public.metrics VALUES ('7ee1398cc3151193', 'accuracy', 'all', 0.5625, 0.4625, 0.6625, 6);
INSERT INTO public.metrics VALUES ('cd89714e33b03f67', 'expected_accuracy', 'all', 0.875, 0.775, 0.975, 6);
INSERT INTO public.metrics VALUES ('cd89714e33b03f67', 'expected_accuracy', 'split=hard', 0.4375, 0.3375, 0.5375, 6);
INSERT INTO public.metrics VALUES ('cd89714e33b03f67', 'unparsed', 'all', 0.125, 0.024999999999999994, 0.225, 6);
INSERT INTO public.metrics VALUES ('cd89714e33b03f67', 'precision', 'all', NULL, NULL, NULL, 6);
INSERT INTO public.metrics VALUES ('cd89714e33b03f67', 'accuracy', 'all', 0.875, 0.775, 0.975, 6);
INSERT INTO public.models VALUES ('demo', 'tiny', 'key-tiny', '{"dtype": "float32", "revision": "abc"}');
INSERT INTO public.published_figures VALUES ('VCD (DAMO-NLP-SG/VCD)', 'README, table POPE-COCO', 'LLaVA-1.5-7B', 'pope', 'naive', 'temperature 1', 'accuracy', 'split=random', 0.8329, 'printed', 'COCO images, mean of 5 runs');
INSERT INTO public.published_figures VALUES ('VCD (DAMO-NLP-SG/VCD)', 'README, table POPE-COCO', 'LLaVA-1.5-7B', 'pope', 'naive', 'temperature 1', 'f1', 'split=random', 0.8133, 'printed', 'COCO images, mean of 5 runs');
INSERT INTO public.published_figures VALUES ('VCD (DAMO-NLP-SG/VCD)', 'README, table POPE-COCO', 'LLaVA-1.5-7B', 'pope', 'vcd', 'temperature 1', 'accuracy', 'split=random', 0.8773, 'printed', 'COCO images, mean of 5 runs');
INSERT INTO public.runs VALUES ('f2514d54194a808a', 'demo', 'tiny', 'world-facts', 'greedy', 'naive', 0, 'done', NULL, 6, 0, 0, 6, 0.25, 'cpu', 'float32', 'f00d', false, 'key-tiny', 'k1', 'evidence-r1', '{"decoding": {"temperature": 1}, "method": {"alpha": 1.0}}', '{"mmplat": "0.1.0", "torch": "2.13.0"}', 'measured');
INSERT INTO public.runs VALUES ('b9b0bb87d4468c3c', 'demo', 'tiny', 'world-facts', 'greedy', 'vdd-unk', 0, 'done', NULL, 6, 0, 0, 12, 0.25, 'cpu', 'float32', 'f00d', false, 'key-tiny', 'k1', 'evidence-r1', '{"decoding": {"temperature": 1}, "method": {"alpha": 1.0}}', '{"mmplat": "0.1.0", "torch": "2.13.0"}', 'measured');
INSERT INTO public.runs VALUES ('02f5c0c6cc84acdb', 'demo', 'tiny', 'world-facts', 'greedy', 'broken', 0, 'failed', 'the reference view has no evidence', 0, 0, 0, 12, 0.25, 'cpu', 'float32', 'f00d', false, 'key-tiny', 'k1', 'evidence-r1', '{"decoding": {"temperature": 1}, "method": {"alpha": 1.0}}', '{"mmplat": "0.1.0", "torch": "2.13.0"}', 'measured');
INSERT INTO public.runs VALUES ('7ee1398cc3151193', 'demo', 'tiny', 'world-objects', 'greedy', 'naive', 0, 'done', NULL, 6, 0, 0, 6, 0.25, 'cpu', 'float32', 'f00d', false, 'key-tiny', 'k1', 'evidence-r1', '{"decoding": {"temperature": 1}, "method": {"alpha": 1.0}}', '{"mmplat": "0.1.0", "torch": "2.13.0"}', 'measured');
INSERT INTO public.runs VALUES ('cd89714e33b03f67', 'demo', 'tiny', 'world-objects', 'greedy', 'vdd-unk', 0, 'done', NULL, 6, 0, 0, 12, 0.25, 'cpu', 'float32', 'f00d', false, 'key-tiny', 'k1', 'evidence-r1', '{"decoding": {"temperature": 1}, "method": {"alpha": 1.0}}', '{"mmplat": "0.1.0", "torch": "2.13.0"}', 'measured');
INSERT INTO public.runs VALUES ('399629911969ee20', 'demo', 'tiny', 'world-objects', 'greedy', 'broken', 0, 'failed', 'the reference view has no evidence', 0, 0, 0, 12, 0.25, 'cpu', 'float32', 'f00d', false, 'key-tiny', 'k1', 'evidence-r1', '{"decoding": {"temperature": 1}, "method": {"alpha": 1.0}}', '{"mmplat": "0.1.0", "torch": "2.13.0"}', 'measured');
INSERT INTO public.suites VALUES ('demo', 'world-facts', 'k1', 'world-facts', 1, 6, 'content-world-facts', '{"split": "random"}');
INSERT INTO public.suites VALUES ('demo', 'world-objects', 'k1', 'world-objects', 1, 6, 'content-world-objects', '{"split": "random"}');
ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY public.campaigns
    ADD CONSTRAINT pk_campaigns PRIMARY KEY (campaign);
ALTER TABLE ONLY public.decided
    ADD CONSTRAINT pk_decided PRIMARY KEY (campaign, model, suite);
ALTER TABLE ONLY public.metrics
    ADD CONSTRAINT pk_metrics PRIMARY KEY (run_id, metric, subset);
ALTER TABLE ONLY public.models
    ADD CONSTRAINT pk_models PRIMARY KEY (campaign, model, key);
ALTER TABLE ONLY public.published_figures
    ADD CONSTRAINT pk_published_figures PRIMARY KEY (source, place, model, suite, method, decoding, metric, subset);
ALTER TABLE ONLY public.runs
    ADD CONSTRAINT pk_runs PRIMARY KEY (run_id);
ALTER TABLE ONLY public.suites
    ADD CONSTRAINT pk_suites PRIMARY KEY (campaign, suite, key);
ALTER TABLE ONLY public.runs
    ADD CONSTRAINT uq_runs_cell UNIQUE (campaign, model, suite, decoding, method, seed);
ALTER TABLE ONLY public.decided
    ADD CONSTRAINT fk_decided_campaign_campaigns FOREIGN KEY (campaign) REFERENCES public.campaigns(campaign) ON DELETE CASCADE;
ALTER TABLE ONLY public.metrics
    ADD CONSTRAINT fk_metrics_run_id_runs FOREIGN KEY (run_id) REFERENCES public.runs(run_id) ON DELETE CASCADE;
ALTER TABLE ONLY public.models
    ADD CONSTRAINT fk_models_campaign_campaigns FOREIGN KEY (campaign) REFERENCES public.campaigns(campaign) ON DELETE CASCADE;
ALTER TABLE ONLY public.runs
    ADD CONSTRAINT fk_runs_decided FOREIGN KEY (campaign, model, suite) REFERENCES public.decided(campaign, model, suite) ON DELETE CASCADE;
ALTER TABLE ONLY public.suites
    ADD CONSTRAINT fk_suites_campaign_campaigns FOREIGN KEY (campaign) REFERENCES public.campaigns(campaign) ON DELETE CASCADE;
