BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0002');
CREATE TABLE campaigns (
	campaign VARCHAR NOT NULL, 
	grid JSON NOT NULL, 
	grid_text TEXT NOT NULL, 
	cells BIGINT NOT NULL, 
	planned BIGINT NOT NULL, 
	skipped JSON NOT NULL, 
	forwards BIGINT, 
	forwards_cell_by_cell BIGINT, 
	CONSTRAINT pk_campaigns PRIMARY KEY (campaign)
);
INSERT INTO "campaigns" VALUES('demo','{"decodings": ["greedy"], "methods": ["naive", "vdd-unk", "broken"], "models": ["tiny"], "suites": ["world-objects", "world-facts"]}','{"models": ["tiny"], "suites": ["world-objects", "world-facts"], "decodings": ["greedy"], "methods": ["naive", "vdd-unk", "broken"]}',6,6,'[{"cells": 1, "method": "vcd", "model": "tiny", "reason": "vcd needs an image", "suite": "text"}]',12,36);
CREATE TABLE decided (
	campaign VARCHAR NOT NULL, 
	model VARCHAR NOT NULL, 
	suite VARCHAR NOT NULL, 
	fingerprint VARCHAR NOT NULL, 
	runs BIGINT NOT NULL, 
	failed BIGINT NOT NULL, 
	seconds FLOAT NOT NULL, 
	CONSTRAINT pk_decided PRIMARY KEY (campaign, model, suite), 
	CONSTRAINT fk_decided_campaign_campaigns FOREIGN KEY(campaign) REFERENCES campaigns (campaign) ON DELETE CASCADE
);
INSERT INTO "decided" VALUES('demo','tiny','world-facts','ae74c854b5299f3f',3,1,1.5);
INSERT INTO "decided" VALUES('demo','tiny','world-objects','9da1882d107a19ad',3,1,1.5);
CREATE TABLE metrics (
	run_id VARCHAR NOT NULL, 
	metric VARCHAR NOT NULL, 
	subset VARCHAR NOT NULL, 
	value FLOAT, 
	low FLOAT, 
	high FLOAT, 
	n BIGINT NOT NULL, 
	CONSTRAINT pk_metrics PRIMARY KEY (run_id, metric, subset), 
	CONSTRAINT fk_metrics_run_id_runs FOREIGN KEY(run_id) REFERENCES runs (run_id) ON DELETE CASCADE
);
INSERT INTO "metrics" VALUES('f2514d54194a808a','expected_accuracy','all',0.25,0.15,0.35,6);
INSERT INTO "metrics" VALUES('f2514d54194a808a','expected_accuracy','split=hard',0.125,2.49999999999999944488e-02,0.225,6);
INSERT INTO "metrics" VALUES('f2514d54194a808a','unparsed','all',0.125,2.49999999999999944488e-02,0.225,6);
INSERT INTO "metrics" VALUES('f2514d54194a808a','precision','all',NULL,NULL,NULL,6);
INSERT INTO "metrics" VALUES('f2514d54194a808a','accuracy','all',0.25,0.15,0.35,6);
INSERT INTO "metrics" VALUES('b9b0bb87d4468c3c','expected_accuracy','all',0.875,0.775,0.975,6);
INSERT INTO "metrics" VALUES('b9b0bb87d4468c3c','expected_accuracy','split=hard',0.4375,0.3375,0.5375,6);
INSERT INTO "metrics" VALUES('b9b0bb87d4468c3c','unparsed','all',0.125,2.49999999999999944488e-02,0.225,6);
INSERT INTO "metrics" VALUES('b9b0bb87d4468c3c','precision','all',NULL,NULL,NULL,6);
INSERT INTO "metrics" VALUES('b9b0bb87d4468c3c','accuracy','all',0.875,0.775,0.975,6);
INSERT INTO "metrics" VALUES('7ee1398cc3151193','expected_accuracy','all',0.5625,0.4625,0.6625,6);
INSERT INTO "metrics" VALUES('7ee1398cc3151193','expected_accuracy','split=hard',0.28125,0.18125,0.38125,6);
INSERT INTO "metrics" VALUES('7ee1398cc3151193','unparsed','all',0.125,2.49999999999999944488e-02,0.225,6);
INSERT INTO "metrics" VALUES('7ee1398cc3151193','precision','all',NULL,NULL,NULL,6);
INSERT INTO "metrics" VALUES('7ee1398cc3151193','accuracy','all',0.5625,0.4625,0.6625,6);
INSERT INTO "metrics" VALUES('cd89714e33b03f67','expected_accuracy','all',0.875,0.775,0.975,6);
INSERT INTO "metrics" VALUES('cd89714e33b03f67','expected_accuracy','split=hard',0.4375,0.3375,0.5375,6);
INSERT INTO "metrics" VALUES('cd89714e33b03f67','unparsed','all',0.125,2.49999999999999944488e-02,0.225,6);
INSERT INTO "metrics" VALUES('cd89714e33b03f67','precision','all',NULL,NULL,NULL,6);
INSERT INTO "metrics" VALUES('cd89714e33b03f67','accuracy','all',0.875,0.775,0.975,6);
CREATE TABLE models (
	campaign VARCHAR NOT NULL, 
	model VARCHAR NOT NULL, 
	"key" VARCHAR NOT NULL, 
	identity JSON NOT NULL, 
	CONSTRAINT pk_models PRIMARY KEY (campaign, model, "key"), 
	CONSTRAINT fk_models_campaign_campaigns FOREIGN KEY(campaign) REFERENCES campaigns (campaign) ON DELETE CASCADE
);
INSERT INTO "models" VALUES('demo','tiny','key-tiny','{"dtype": "float32", "revision": "abc"}');
CREATE TABLE published_figures (
	source VARCHAR NOT NULL, 
	place VARCHAR NOT NULL, 
	model VARCHAR NOT NULL, 
	suite VARCHAR NOT NULL, 
	method VARCHAR NOT NULL, 
	decoding VARCHAR NOT NULL, 
	metric VARCHAR NOT NULL, 
	subset VARCHAR NOT NULL, 
	value FLOAT NOT NULL, 
	certainty VARCHAR NOT NULL, 
	note VARCHAR NOT NULL, 
	CONSTRAINT pk_published_figures PRIMARY KEY (source, place, model, suite, method, decoding, metric, subset)
);
INSERT INTO "published_figures" VALUES('VCD (DAMO-NLP-SG/VCD)','README, table POPE-COCO','LLaVA-1.5-7B','pope','naive','temperature 1','accuracy','split=random',0.8329,'printed','COCO images, mean of 5 runs');
INSERT INTO "published_figures" VALUES('VCD (DAMO-NLP-SG/VCD)','README, table POPE-COCO','LLaVA-1.5-7B','pope','naive','temperature 1','f1','split=random',0.8133,'printed','COCO images, mean of 5 runs');
INSERT INTO "published_figures" VALUES('VCD (DAMO-NLP-SG/VCD)','README, table POPE-COCO','LLaVA-1.5-7B','pope','vcd','temperature 1','accuracy','split=random',0.8773,'printed','COCO images, mean of 5 runs');
CREATE TABLE runs (
	run_id VARCHAR NOT NULL, 
	campaign VARCHAR NOT NULL, 
	model VARCHAR NOT NULL, 
	suite VARCHAR NOT NULL, 
	decoding VARCHAR NOT NULL, 
	method VARCHAR NOT NULL, 
	seed BIGINT NOT NULL, 
	status VARCHAR NOT NULL, 
	error TEXT, 
	n BIGINT NOT NULL, 
	n_failed BIGINT NOT NULL, 
	n_near_ties BIGINT NOT NULL, 
	forward_passes BIGINT NOT NULL, 
	seconds FLOAT NOT NULL, 
	device VARCHAR NOT NULL, 
	dtype VARCHAR NOT NULL, 
	git_revision VARCHAR, 
	git_dirty BOOLEAN, 
	model_key VARCHAR NOT NULL, 
	suite_key VARCHAR NOT NULL, 
	evidence_key VARCHAR NOT NULL, 
	settings JSON NOT NULL, 
	versions JSON NOT NULL, origin VARCHAR DEFAULT 'measured' NOT NULL, 
	CONSTRAINT pk_runs PRIMARY KEY (run_id), 
	CONSTRAINT fk_runs_decided FOREIGN KEY(campaign, model, suite) REFERENCES decided (campaign, model, suite) ON DELETE CASCADE, 
	CONSTRAINT uq_runs_cell UNIQUE (campaign, model, suite, decoding, method, seed)
);
INSERT INTO "runs" VALUES('f2514d54194a808a','demo','tiny','world-facts','greedy','naive',0,'done',NULL,6,0,0,6,0.25,'cpu','float32','f00d',0,'key-tiny','k1','evidence-r1','{"decoding": {"temperature": 1}, "method": {"alpha": 1.0}}','{"mmplat": "0.1.0", "torch": "2.13.0"}','measured');
INSERT INTO "runs" VALUES('b9b0bb87d4468c3c','demo','tiny','world-facts','greedy','vdd-unk',0,'done',NULL,6,0,0,12,0.25,'cpu','float32','f00d',0,'key-tiny','k1','evidence-r1','{"decoding": {"temperature": 1}, "method": {"alpha": 1.0}}','{"mmplat": "0.1.0", "torch": "2.13.0"}','measured');
INSERT INTO "runs" VALUES('02f5c0c6cc84acdb','demo','tiny','world-facts','greedy','broken',0,'failed','the reference view has no evidence',0,0,0,12,0.25,'cpu','float32','f00d',0,'key-tiny','k1','evidence-r1','{"decoding": {"temperature": 1}, "method": {"alpha": 1.0}}','{"mmplat": "0.1.0", "torch": "2.13.0"}','measured');
INSERT INTO "runs" VALUES('7ee1398cc3151193','demo','tiny','world-objects','greedy','naive',0,'done',NULL,6,0,0,6,0.25,'cpu','float32','f00d',0,'key-tiny','k1','evidence-r1','{"decoding": {"temperature": 1}, "method": {"alpha": 1.0}}','{"mmplat": "0.1.0", "torch": "2.13.0"}','measured');
INSERT INTO "runs" VALUES('cd89714e33b03f67','demo','tiny','world-objects','greedy','vdd-unk',0,'done',NULL,6,0,0,12,0.25,'cpu','float32','f00d',0,'key-tiny','k1','evidence-r1','{"decoding": {"temperature": 1}, "method": {"alpha": 1.0}}','{"mmplat": "0.1.0", "torch": "2.13.0"}','measured');
INSERT INTO "runs" VALUES('399629911969ee20','demo','tiny','world-objects','greedy','broken',0,'failed','the reference view has no evidence',0,0,0,12,0.25,'cpu','float32','f00d',0,'key-tiny','k1','evidence-r1','{"decoding": {"temperature": 1}, "method": {"alpha": 1.0}}','{"mmplat": "0.1.0", "torch": "2.13.0"}','measured');
CREATE TABLE suites (
	campaign VARCHAR NOT NULL, 
	suite VARCHAR NOT NULL, 
	"key" VARCHAR NOT NULL, 
	kind VARCHAR NOT NULL, 
	version BIGINT NOT NULL, 
	n BIGINT NOT NULL, 
	content_id VARCHAR NOT NULL, 
	params JSON NOT NULL, 
	CONSTRAINT pk_suites PRIMARY KEY (campaign, suite, "key"), 
	CONSTRAINT fk_suites_campaign_campaigns FOREIGN KEY(campaign) REFERENCES campaigns (campaign) ON DELETE CASCADE
);
INSERT INTO "suites" VALUES('demo','world-facts','k1','world-facts',1,6,'content-world-facts','{"split": "random"}');
INSERT INTO "suites" VALUES('demo','world-objects','k1','world-objects',1,6,'content-world-objects','{"split": "random"}');
COMMIT;
