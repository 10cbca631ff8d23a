BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0005');
CREATE TABLE artifacts (
	id INTEGER NOT NULL, 
	attempt_id INTEGER NOT NULL, 
	kind VARCHAR(32) NOT NULL, 
	url TEXT NOT NULL, 
	sha256 VARCHAR(64) NOT NULL, 
	bytes INTEGER NOT NULL, 
	CONSTRAINT pk_artifacts PRIMARY KEY (id), 
	CONSTRAINT fk_artifacts_attempt_id FOREIGN KEY(attempt_id) REFERENCES attempts (id) ON DELETE CASCADE, 
	CONSTRAINT uq_artifacts_attempt_id_kind_url UNIQUE (attempt_id, kind, url)
);
CREATE TABLE attempts (
	id INTEGER NOT NULL, 
	job_id INTEGER NOT NULL, 
	number INTEGER NOT NULL, 
	owner TEXT NOT NULL, 
	started_at DOUBLE NOT NULL, 
	ended_at DOUBLE, 
	outcome VARCHAR(16), 
	message TEXT NOT NULL, 
	traceback TEXT NOT NULL, 
	log TEXT NOT NULL, 
	start_epoch INTEGER NOT NULL, start_step INTEGER DEFAULT '0' NOT NULL, 
	CONSTRAINT pk_attempts PRIMARY KEY (id), 
	CONSTRAINT fk_attempts_job_id FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE CASCADE, 
	CONSTRAINT uq_attempts_job_id_number UNIQUE (job_id, number)
);
INSERT INTO "attempts" VALUES(1,1,1,'w/1',1.79550042695298480983e+09,1.79550042695801401141e+09,'done','','','job-1.log',0,0);
INSERT INTO "attempts" VALUES(2,2,1,'w/1',1.79550042696501469616e+09,1.79550042700999522207e+09,'code','boom','Traceback: it''s 100 % broken
','job-2.log',0,0);
INSERT INTO "attempts" VALUES(3,3,1,'w/1',1.79550042701301288609e+09,1795500427.01599,'preempted','the worker was asked to stop','','job-3.log',0,0);
INSERT INTO "attempts" VALUES(4,3,2,'w/1',1.79550042701800155638e+09,1.79550042702001333232e+09,'done','','','job-3b.log',1,0);
INSERT INTO "attempts" VALUES(5,4,1,'w/1',1.79550042702399635314e+09,NULL,NULL,'','','job-4.log',0,0);
CREATE TABLE datasets (
	name VARCHAR(500) NOT NULL, 
	fingerprint VARCHAR(64) NOT NULL, 
	split VARCHAR(64) NOT NULL, 
	recorded_at DOUBLE NOT NULL, 
	classes JSON NOT NULL, 
	counts JSON NOT NULL, 
	samples BLOB NOT NULL, 
	augmentation BLOB NOT NULL, 
	notices JSON NOT NULL, 
	CONSTRAINT pk_datasets PRIMARY KEY (name, fingerprint, split)
);
INSERT INTO "datasets" VALUES('digits','ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff','0.2/42',1.79550042694501876825e+09,'["a", "b"]','{"train": [4, 4], "val": [1, 1], "test": [2, 1]}',X'789CAB562ACE482C4855B2528836D45100222330328ED551502ACA2F2F064928252A81B8C9F939A5B979101143A5D85A2E0624000099B30FBD',X'789CAB562ACE482C4855B2528836D45100222330328ED551502ACA2F2F064928252A81B8C9F939A5B979101143A5D85A2E0624000099B30FBD','[]');
CREATE TABLE epochs (
	attempt_id INTEGER NOT NULL, 
	epoch INTEGER NOT NULL, 
	train_loss DOUBLE NOT NULL, 
	train_accuracy DOUBLE NOT NULL, 
	val_loss DOUBLE NOT NULL, 
	val_accuracy DOUBLE NOT NULL, 
	learning_rate DOUBLE NOT NULL, 
	train_s DOUBLE NOT NULL, 
	eval_s DOUBLE NOT NULL, 
	recorded_at DOUBLE NOT NULL, 
	CONSTRAINT pk_epochs PRIMARY KEY (attempt_id, epoch), 
	CONSTRAINT fk_epochs_attempt_id FOREIGN KEY(attempt_id) REFERENCES attempts (id) ON DELETE CASCADE
);
INSERT INTO "epochs" VALUES(1,1,2.0,0.25,1.75,0.3,0.001,1.5,0.5,1.79550042695600247386e+09);
INSERT INTO "epochs" VALUES(3,1,2.0,0.25,1.75,0.3,0.001,1.5,0.5,1.79550042701401853565e+09);
INSERT INTO "epochs" VALUES(5,1,2.0,0.25,1.75,0.3,0.001,1.5,0.5,1.79550042702600812912e+09);
CREATE TABLE events (
	id INTEGER NOT NULL, 
	job_id INTEGER, 
	at DOUBLE NOT NULL, 
	actor TEXT NOT NULL, 
	what VARCHAR(32) NOT NULL, 
	details JSON NOT NULL, 
	CONSTRAINT pk_events PRIMARY KEY (id), 
	CONSTRAINT fk_events_job_id FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE CASCADE
);
INSERT INTO "events" VALUES(1,NULL,1.79550042694300699235e+09,'submit','submitted','{"submission": 1, "new": 6}');
INSERT INTO "events" VALUES(2,6,1.79550042694799613955e+09,'cancel','cancelled','{}');
INSERT INTO "events" VALUES(3,1,1.79550042695298480983e+09,'w/1','claimed','{"attempt": 1}');
INSERT INTO "events" VALUES(4,1,1.79550042696199703209e+09,'w/1','done','{"attempt": 1}');
INSERT INTO "events" VALUES(5,2,1.79550042700701808929e+09,'w/1','claimed','{"attempt": 1}');
INSERT INTO "events" VALUES(6,2,1.79550042700999522207e+09,'w/1','code','{"attempt": 1, "to": "failed"}');
INSERT INTO "events" VALUES(7,3,1.79550042701301288609e+09,'w/1','claimed','{"attempt": 1}');
INSERT INTO "events" VALUES(8,3,1795500427.01599,'w/1','preempted','{"attempt": 1, "to": "queued"}');
INSERT INTO "events" VALUES(9,3,1.79550042701800155638e+09,'w/1','claimed','{"attempt": 2}');
INSERT INTO "events" VALUES(10,3,1.79550042702101922027e+09,'w/1','done','{"attempt": 2}');
INSERT INTO "events" VALUES(11,4,1.79550042702399635314e+09,'w/1','claimed','{"attempt": 1}');
CREATE TABLE jobs (
	id INTEGER NOT NULL, 
	"key" VARCHAR(64) NOT NULL, 
	label TEXT NOT NULL, 
	seed INTEGER NOT NULL, 
	config JSON NOT NULL, 
	fingerprint VARCHAR(64), 
	state VARCHAR(16) NOT NULL, 
	priority INTEGER NOT NULL, 
	available_at DOUBLE NOT NULL, 
	published_at DOUBLE, 
	attempt INTEGER NOT NULL, 
	owner TEXT, 
	lease_until DOUBLE, 
	cancel_requested BOOLEAN NOT NULL, 
	epoch INTEGER NOT NULL, 
	epochs INTEGER NOT NULL, 
	val_accuracy DOUBLE, 
	epoch_s DOUBLE, 
	cause VARCHAR(16), 
	message TEXT NOT NULL, 
	created_at DOUBLE NOT NULL, 
	started_at DOUBLE, 
	finished_at DOUBLE, counted_from INTEGER DEFAULT '0' NOT NULL, alone BOOLEAN DEFAULT 0 NOT NULL, place TEXT, timeout_s DOUBLE, train_flops DOUBLE DEFAULT '-1' NOT NULL, memory_mib DOUBLE, 
	CONSTRAINT pk_jobs PRIMARY KEY (id), 
	CONSTRAINT uq_jobs_key UNIQUE ("key")
);
INSERT INTO "jobs" VALUES(1,'84feb8af27bfae9e','done',1,'{"dataset": "cifar100-20", "validation_fraction": 0.2, "split_seed": 42, "model": "small_cnn", "arguments": {"conv_depths": [32, 64], "hidden_units": 128, "batch_norm": false, "dropout": 0.0, "dropout_kind": "channel"}, "augmentation": [], "batch_size": 32, "epochs": 50, "optimizer": "adam", "learning_rate": 0.001, "momentum": 0.0, "nesterov": false, "weight_decay": 0.0, "schedule": "plateau", "plateau_factor": 0.5, "plateau_patience": 5, "early_stopping_patience": 10, "label_smoothing": 0.0, "precision": "float32"}',NULL,'done',0,1.7955004269399895668e+09,NULL,1,'w/1',NULL,0,1,50,0.3,2.0,NULL,'',1.7955004269399895668e+09,1.79550042695201921461e+09,1.79550042695700836185e+09,1,0,NULL,NULL,-1.0,1174.0);
INSERT INTO "jobs" VALUES(2,'ec82fcf01a90cb29','failed',2,'{"dataset": "cifar100-20", "validation_fraction": 0.2, "split_seed": 42, "model": "small_cnn", "arguments": {"conv_depths": [32, 64], "hidden_units": 128, "batch_norm": false, "dropout": 0.0, "dropout_kind": "channel"}, "augmentation": [], "batch_size": 32, "epochs": 50, "optimizer": "adam", "learning_rate": 0.001, "momentum": 0.0, "nesterov": false, "weight_decay": 0.0, "schedule": "plateau", "plateau_factor": 0.5, "plateau_patience": 5, "early_stopping_patience": 10, "label_smoothing": 0.0, "precision": "float32"}',NULL,'failed',0,1.7955004269399895668e+09,NULL,1,NULL,NULL,0,0,50,NULL,NULL,'code','boom',1.7955004269399895668e+09,1.79550042696501469616e+09,1.79550042700898933407e+09,1,0,NULL,NULL,-1.0,NULL);
INSERT INTO "jobs" VALUES(3,'3b0278b21c14a2f7','resumed',3,'{"dataset": "cifar100-20", "validation_fraction": 0.2, "split_seed": 42, "model": "small_cnn", "arguments": {"conv_depths": [32, 64], "hidden_units": 128, "batch_norm": false, "dropout": 0.0, "dropout_kind": "channel"}, "augmentation": [], "batch_size": 32, "epochs": 50, "optimizer": "adam", "learning_rate": 0.001, "momentum": 0.0, "nesterov": false, "weight_decay": 0.0, "schedule": "plateau", "plateau_factor": 0.5, "plateau_patience": 5, "early_stopping_patience": 10, "label_smoothing": 0.0, "precision": "float32"}',NULL,'done',0,1795500427.01599,NULL,2,'w/1',NULL,0,1,50,0.3,2.0,NULL,'',1.7955004269399895668e+09,1.79550042701800155638e+09,1.79550042702001333232e+09,2,0,NULL,NULL,-1.0,NULL);
INSERT INTO "jobs" VALUES(4,'d646ec3408ec179f','running',4,'{"dataset": "cifar100-20", "validation_fraction": 0.2, "split_seed": 42, "model": "small_cnn", "arguments": {"conv_depths": [32, 64], "hidden_units": 128, "batch_norm": false, "dropout": 0.0, "dropout_kind": "channel"}, "augmentation": [], "batch_size": 32, "epochs": 50, "optimizer": "adam", "learning_rate": 0.001, "momentum": 0.0, "nesterov": false, "weight_decay": 0.0, "schedule": "plateau", "plateau_factor": 0.5, "plateau_patience": 5, "early_stopping_patience": 10, "label_smoothing": 0.0, "precision": "float32"}',NULL,'running',0,1.7955004269399895668e+09,NULL,1,'w/1',4.79550042702399635305e+09,0,1,50,0.3,2.0,NULL,'',1.7955004269399895668e+09,1.79550042702399635314e+09,NULL,1,0,NULL,NULL,-1.0,NULL);
INSERT INTO "jobs" VALUES(5,'65006b9d5ddfb678','waiting',5,'{"dataset": "cifar100-20", "validation_fraction": 0.2, "split_seed": 42, "model": "small_cnn", "arguments": {"conv_depths": [32, 64], "hidden_units": 128, "batch_norm": false, "dropout": 0.0, "dropout_kind": "channel"}, "augmentation": [], "batch_size": 32, "epochs": 50, "optimizer": "adam", "learning_rate": 0.001, "momentum": 0.0, "nesterov": false, "weight_decay": 0.0, "schedule": "plateau", "plateau_factor": 0.5, "plateau_patience": 5, "early_stopping_patience": 10, "label_smoothing": 0.0, "precision": "float32"}',NULL,'queued',0,1.7955004269399895668e+09,NULL,0,NULL,NULL,0,0,50,NULL,NULL,NULL,'',1.7955004269399895668e+09,NULL,NULL,0,0,NULL,NULL,-1.0,NULL);
INSERT INTO "jobs" VALUES(6,'9213fa9e23fbed66','cancelled',6,'{"dataset": "cifar100-20", "validation_fraction": 0.2, "split_seed": 42, "model": "small_cnn", "arguments": {"conv_depths": [32, 64], "hidden_units": 128, "batch_norm": false, "dropout": 0.0, "dropout_kind": "channel"}, "augmentation": [], "batch_size": 32, "epochs": 50, "optimizer": "adam", "learning_rate": 0.001, "momentum": 0.0, "nesterov": false, "weight_decay": 0.0, "schedule": "plateau", "plateau_factor": 0.5, "plateau_patience": 5, "early_stopping_patience": 10, "label_smoothing": 0.0, "precision": "float32"}',NULL,'cancelled',0,1.7955004269399895668e+09,NULL,0,NULL,NULL,0,0,50,NULL,NULL,'cancelled','',1.7955004269399895668e+09,NULL,1.79550042694699025155e+09,0,0,NULL,NULL,-1.0,NULL);
CREATE TABLE networks (
	"key" VARCHAR(64) NOT NULL, 
	parameters DOUBLE NOT NULL, 
	flops DOUBLE NOT NULL, 
	activations DOUBLE NOT NULL, 
	CONSTRAINT pk_networks PRIMARY KEY ("key")
);
CREATE TABLE predictions (
	job_id INTEGER NOT NULL, 
	weights VARCHAR(8) NOT NULL, 
	images INTEGER NOT NULL, 
	classes INTEGER NOT NULL, 
	labels BLOB NOT NULL, 
	probabilities BLOB NOT NULL, 
	CONSTRAINT pk_predictions PRIMARY KEY (job_id, weights), 
	CONSTRAINT fk_predictions_job_id FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE CASCADE
);
INSERT INTO "predictions" VALUES(1,'best',3,2,X'789C636060606084620000180003',X'789C4B4B4BB33F7BE68CEDAC999220DAEEEC191F10B607009B650C89');
INSERT INTO "predictions" VALUES(1,'last',3,2,X'789C636060606084620000180003',X'789C4B4B4BB33F7BE68CEDAC999220DAEEEC191F10B607009B650C89');
INSERT INTO "predictions" VALUES(3,'best',3,2,X'789C636060606084620000180003',X'789C4B4B4BB33F7BE68CEDAC999220DAEEEC191F10B607009B650C89');
INSERT INTO "predictions" VALUES(3,'last',3,2,X'789C636060606084620000180003',X'789C4B4B4BB33F7BE68CEDAC999220DAEEEC191F10B607009B650C89');
CREATE TABLE results (
	job_id INTEGER NOT NULL, 
	attempt_id INTEGER NOT NULL, 
	best_epoch INTEGER NOT NULL, 
	best_train_loss DOUBLE NOT NULL, 
	best_train_accuracy DOUBLE NOT NULL, 
	best_val_loss DOUBLE NOT NULL, 
	best_val_accuracy DOUBLE NOT NULL, 
	best_test_loss DOUBLE NOT NULL, 
	best_test_accuracy DOUBLE NOT NULL, 
	best_confusion JSON NOT NULL, 
	last_epoch INTEGER NOT NULL, 
	last_train_loss DOUBLE NOT NULL, 
	last_train_accuracy DOUBLE NOT NULL, 
	last_val_loss DOUBLE NOT NULL, 
	last_val_accuracy DOUBLE NOT NULL, 
	last_test_loss DOUBLE NOT NULL, 
	last_test_accuracy DOUBLE NOT NULL, 
	last_confusion JSON NOT NULL, 
	epochs INTEGER NOT NULL, 
	stopped_early BOOLEAN NOT NULL, 
	parameters INTEGER NOT NULL, 
	flops DOUBLE NOT NULL, 
	train_s DOUBLE NOT NULL, 
	eval_s DOUBLE NOT NULL, 
	peak_mib DOUBLE NOT NULL, 
	device VARCHAR(16) NOT NULL, 
	precision VARCHAR(16) NOT NULL, 
	fingerprint VARCHAR(64) NOT NULL, 
	environment JSON NOT NULL, energy_j DOUBLE, 
	CONSTRAINT pk_results PRIMARY KEY (job_id), 
	CONSTRAINT fk_results_attempt_id FOREIGN KEY(attempt_id) REFERENCES attempts (id) ON DELETE CASCADE, 
	CONSTRAINT fk_results_job_id FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE CASCADE
);
INSERT INTO "results" VALUES(1,1,1,2.0,0.25,1.75,0.3,1.5,0.5,'[[1, 0], [1, 1]]',1,2.0,0.25,1.75,0.3,1.5,0.5,'[[1, 0], [1, 1]]',1,0,546388,12260352.0,1.5,0.5,100.0,'cpu','float32','ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff','{"host": "here"}',NULL);
INSERT INTO "results" VALUES(3,4,1,2.0,0.25,1.75,0.3,1.5,0.25,'[[1, 0], [1, 1]]',1,2.0,0.25,1.75,0.3,1.5,0.25,'[[1, 0], [1, 1]]',1,0,546388,12260352.0,1.5,0.5,100.0,'cpu','float32','ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff','{"host": "here"}',NULL);
CREATE TABLE sources (
	sha256 VARCHAR(64) NOT NULL, 
	content TEXT NOT NULL, 
	created_at DOUBLE NOT NULL, 
	CONSTRAINT pk_sources PRIMARY KEY (sha256)
);
CREATE TABLE submission_jobs (
	submission_id INTEGER NOT NULL, 
	label VARCHAR(200) NOT NULL, 
	seed INTEGER NOT NULL, 
	job_id INTEGER NOT NULL, 
	new BOOLEAN NOT NULL, 
	CONSTRAINT pk_submission_jobs PRIMARY KEY (submission_id, label, seed), 
	CONSTRAINT fk_submission_jobs_job_id FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE CASCADE, 
	CONSTRAINT fk_submission_jobs_submission_id FOREIGN KEY(submission_id) REFERENCES submissions (id) ON DELETE CASCADE
);
INSERT INTO "submission_jobs" VALUES(1,'done',1,1,1);
INSERT INTO "submission_jobs" VALUES(1,'failed',2,2,1);
INSERT INTO "submission_jobs" VALUES(1,'resumed',3,3,1);
INSERT INTO "submission_jobs" VALUES(1,'running',4,4,1);
INSERT INTO "submission_jobs" VALUES(1,'waiting',5,5,1);
INSERT INTO "submission_jobs" VALUES(1,'cancelled',6,6,1);
CREATE TABLE submissions (
	id INTEGER NOT NULL, 
	created_at DOUBLE NOT NULL, 
	suite VARCHAR(200) NOT NULL, 
	title TEXT NOT NULL, 
	text TEXT NOT NULL, 
	scope VARCHAR(64) NOT NULL, 
	dataset TEXT NOT NULL, 
	overrides JSON NOT NULL, 
	variants JSON NOT NULL, 
	layout JSON NOT NULL, 
	reference JSON NOT NULL, 
	claims JSON NOT NULL, 
	command TEXT NOT NULL, 
	CONSTRAINT pk_submissions PRIMARY KEY (id)
);
INSERT INTO "submissions" VALUES(1,1.79550042693701243394e+09,'report','A title','','a','digits','{}','{}','{}','{}','[]','');
CREATE TABLE workers (
	id VARCHAR(200) NOT NULL, 
	host TEXT NOT NULL, 
	pid INTEGER NOT NULL, 
	slots INTEGER NOT NULL, 
	device VARCHAR(64) NOT NULL, 
	started_at DOUBLE NOT NULL, 
	seen_at DOUBLE NOT NULL, 
	stopped_at DOUBLE, 
	CONSTRAINT pk_workers PRIMARY KEY (id)
);
INSERT INTO "workers" VALUES('w','h',1,2,'cpu',1.79550042694501876825e+09,1.79550042694501876825e+09,NULL);
CREATE INDEX ix_jobs_lease ON jobs (state, lease_until);
CREATE INDEX ix_submissions_scope ON submissions (scope);
CREATE INDEX ix_events_job_id ON events (job_id);
CREATE INDEX ix_submission_jobs_job_id ON submission_jobs (job_id);
CREATE INDEX ix_artifacts_attempt_id ON artifacts (attempt_id);
CREATE INDEX ix_jobs_urgency ON jobs (state, priority DESC, train_flops DESC, id);
COMMIT;
