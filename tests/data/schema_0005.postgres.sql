CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);
CREATE TABLE public.artifacts (
    id integer NOT NULL,
    attempt_id integer NOT NULL,
    kind character varying(32) NOT NULL,
    url text NOT NULL,
    sha256 character varying(64) NOT NULL,
    bytes integer NOT NULL
);
CREATE SEQUENCE public.artifacts_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.artifacts_id_seq OWNED BY public.artifacts.id;
CREATE TABLE public.attempts (
    id integer NOT NULL,
    job_id integer NOT NULL,
    number integer NOT NULL,
    owner text NOT NULL,
    started_at double precision NOT NULL,
    ended_at double precision,
    outcome character varying(16),
    message text NOT NULL,
    traceback text NOT NULL,
    log text NOT NULL,
    start_epoch integer NOT NULL,
    start_step integer DEFAULT 0 NOT NULL
);
CREATE SEQUENCE public.attempts_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.attempts_id_seq OWNED BY public.attempts.id;
CREATE TABLE public.datasets (
    name character varying(500) NOT NULL,
    fingerprint character varying(64) NOT NULL,
    split character varying(64) NOT NULL,
    recorded_at double precision NOT NULL,
    classes json NOT NULL,
    counts json NOT NULL,
    samples bytea NOT NULL,
    augmentation bytea NOT NULL,
    notices json NOT NULL
);
CREATE TABLE public.epochs (
    attempt_id integer NOT NULL,
    epoch integer NOT NULL,
    train_loss double precision NOT NULL,
    train_accuracy double precision NOT NULL,
    val_loss double precision NOT NULL,
    val_accuracy double precision NOT NULL,
    learning_rate double precision NOT NULL,
    train_s double precision NOT NULL,
    eval_s double precision NOT NULL,
    recorded_at double precision NOT NULL
);
CREATE TABLE public.events (
    id integer NOT NULL,
    job_id integer,
    at double precision NOT NULL,
    actor text NOT NULL,
    what character varying(32) NOT NULL,
    details json NOT NULL
);
CREATE SEQUENCE public.events_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.events_id_seq OWNED BY public.events.id;
CREATE TABLE public.jobs (
    id integer NOT NULL,
    key character varying(64) NOT NULL,
    label text NOT NULL,
    seed integer NOT NULL,
    config json NOT NULL,
    fingerprint character varying(64),
    state character varying(16) NOT NULL,
    priority integer NOT NULL,
    available_at double precision NOT NULL,
    published_at double precision,
    attempt integer NOT NULL,
    owner text,
    lease_until double precision,
    cancel_requested boolean NOT NULL,
    epoch integer NOT NULL,
    epochs integer NOT NULL,
    val_accuracy double precision,
    epoch_s double precision,
    cause character varying(16),
    message text NOT NULL,
    created_at double precision NOT NULL,
    started_at double precision,
    finished_at double precision,
    counted_from integer DEFAULT 0 NOT NULL,
    alone boolean DEFAULT false NOT NULL,
    place text,
    timeout_s double precision,
    train_flops double precision DEFAULT '-1'::double precision NOT NULL,
    memory_mib double precision
);
CREATE SEQUENCE public.jobs_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.jobs_id_seq OWNED BY public.jobs.id;
CREATE TABLE public.networks (
    key character varying(64) NOT NULL,
    parameters double precision NOT NULL,
    flops double precision NOT NULL,
    activations double precision NOT NULL
);
CREATE TABLE public.predictions (
    job_id integer NOT NULL,
    weights character varying(8) NOT NULL,
    images integer NOT NULL,
    classes integer NOT NULL,
    labels bytea NOT NULL,
    probabilities bytea NOT NULL
);
CREATE TABLE public.results (
    job_id integer NOT NULL,
    attempt_id integer NOT NULL,
    best_epoch integer NOT NULL,
    best_train_loss double precision NOT NULL,
    best_train_accuracy double precision NOT NULL,
    best_val_loss double precision NOT NULL,
    best_val_accuracy double precision NOT NULL,
    best_test_loss double precision NOT NULL,
    best_test_accuracy double precision NOT NULL,
    best_confusion json NOT NULL,
    last_epoch integer NOT NULL,
    last_train_loss double precision NOT NULL,
    last_train_accuracy double precision NOT NULL,
    last_val_loss double precision NOT NULL,
    last_val_accuracy double precision NOT NULL,
    last_test_loss double precision NOT NULL,
    last_test_accuracy double precision NOT NULL,
    last_confusion json NOT NULL,
    epochs integer NOT NULL,
    stopped_early boolean NOT NULL,
    parameters integer NOT NULL,
    flops double precision NOT NULL,
    train_s double precision NOT NULL,
    eval_s double precision NOT NULL,
    peak_mib double precision NOT NULL,
    device character varying(16) NOT NULL,
    "precision" character varying(16) NOT NULL,
    fingerprint character varying(64) NOT NULL,
    environment json NOT NULL,
    energy_j double precision
);
CREATE TABLE public.sources (
    sha256 character varying(64) NOT NULL,
    content text NOT NULL,
    created_at double precision NOT NULL
);
CREATE TABLE public.submission_jobs (
    submission_id integer NOT NULL,
    label character varying(200) NOT NULL,
    seed integer NOT NULL,
    job_id integer NOT NULL,
    new boolean NOT NULL
);
CREATE TABLE public.submissions (
    id integer NOT NULL,
    created_at double precision NOT NULL,
    suite character varying(200) NOT NULL,
    title text NOT NULL,
    text text NOT NULL,
    scope character varying(64) NOT NULL,
    dataset text NOT NULL,
    overrides json NOT NULL,
    variants json NOT NULL,
    layout json NOT NULL,
    reference json NOT NULL,
    claims json NOT NULL,
    command text NOT NULL
);
CREATE SEQUENCE public.submissions_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.submissions_id_seq OWNED BY public.submissions.id;
CREATE TABLE public.workers (
    id character varying(200) NOT NULL,
    host text NOT NULL,
    pid integer NOT NULL,
    slots integer NOT NULL,
    device character varying(64) NOT NULL,
    started_at double precision NOT NULL,
    seen_at double precision NOT NULL,
    stopped_at double precision
);
ALTER TABLE ONLY public.artifacts ALTER COLUMN id SET DEFAULT nextval('public.artifacts_id_seq'::regclass);
ALTER TABLE ONLY public.attempts ALTER COLUMN id SET DEFAULT nextval('public.attempts_id_seq'::regclass);
ALTER TABLE ONLY public.events ALTER COLUMN id SET DEFAULT nextval('public.events_id_seq'::regclass);
ALTER TABLE ONLY public.jobs ALTER COLUMN id SET DEFAULT nextval('public.jobs_id_seq'::regclass);
ALTER TABLE ONLY public.submissions ALTER COLUMN id SET DEFAULT nextval('public.submissions_id_seq'::regclass);
INSERT INTO public.alembic_version VALUES ('0005');
INSERT INTO public.attempts VALUES (1, 1, 1, 'w/1', 1795500428.098186, 1795500428.108798, 'done', '', '', 'job-1.log', 0, 0);
INSERT INTO public.attempts VALUES (2, 2, 1, 'w/1', 1795500428.119656, 1795500428.124521, 'code', 'boom', 'Traceback: it''s 100 % broken
', 'job-2.log', 0, 0);
INSERT INTO public.attempts VALUES (3, 3, 1, 'w/1', 1795500428.12811, 1795500428.134049, 'preempted', 'the worker was asked to stop', '', 'job-3.log', 0, 0);
INSERT INTO public.attempts VALUES (4, 3, 2, 'w/1', 1795500428.137385, 1795500428.140638, 'done', '', '', 'job-3b.log', 1, 0);
INSERT INTO public.attempts VALUES (5, 4, 1, 'w/1', 1795500428.146967, NULL, NULL, '', '', 'job-4.log', 0, 0);
INSERT INTO public.datasets VALUES ('digits', 'ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff', '0.2/42', 1795500428.086356, '["a", "b"]', '{"train": [4, 4], "val": [1, 1], "test": [2, 1]}', '\x789cab562ace482c4855b2528836d45100222330328ed551502aca2f2f064928252a81b8c9f939a5b979101143a5d85a2e0624000099b30fbd', '\x789cab562ace482c4855b2528836d45100222330328ed551502aca2f2f064928252a81b8c9f939a5b979101143a5d85a2e0624000099b30fbd', '[]');
INSERT INTO public.epochs VALUES (1, 1, 2, 0.25, 1.75, 0.3, 0.001, 1.5, 0.5, 1795500428.106062);
INSERT INTO public.epochs VALUES (3, 1, 2, 0.25, 1.75, 0.3, 0.001, 1.5, 0.5, 1795500428.13151);
INSERT INTO public.epochs VALUES (5, 1, 2, 0.25, 1.75, 0.3, 0.001, 1.5, 0.5, 1795500428.150259);
INSERT INTO public.events VALUES (1, NULL, 1795500428.084278, 'submit', 'submitted', '{"submission": 1, "new": 6}');
INSERT INTO public.events VALUES (2, 6, 1795500428.092261, 'cancel', 'cancelled', '{}');
INSERT INTO public.events VALUES (3, 1, 1795500428.099113, 'w/1', 'claimed', '{"attempt": 1}');
INSERT INTO public.events VALUES (4, 1, 1795500428.11602, 'w/1', 'done', '{"attempt": 1}');
INSERT INTO public.events VALUES (5, 2, 1795500428.120228, 'w/1', 'claimed', '{"attempt": 1}');
INSERT INTO public.events VALUES (6, 2, 1795500428.124999, 'w/1', 'code', '{"attempt": 1, "to": "failed"}');
INSERT INTO public.events VALUES (7, 3, 1795500428.128679, 'w/1', 'claimed', '{"attempt": 1}');
INSERT INTO public.events VALUES (8, 3, 1795500428.13443, 'w/1', 'preempted', '{"attempt": 1, "to": "queued"}');
INSERT INTO public.events VALUES (9, 3, 1795500428.137906, 'w/1', 'claimed', '{"attempt": 2}');
INSERT INTO public.events VALUES (10, 3, 1795500428.142941, 'w/1', 'done', '{"attempt": 2}');
INSERT INTO public.events VALUES (11, 4, 1795500428.14749, 'w/1', 'claimed', '{"attempt": 1}');
INSERT INTO public.jobs VALUES (5, '65006b9d5ddfb678', 'waiting', 5, '{"dataset": "cifar100-20", "validation_fraction": 0.2, "split_seed": 42, "model": "small_cnn", "arguments": {"conv_depths": [32, 64], "hidden_units": 128, "batch_norm": false, "dropout": 0.0, "dropout_kind": "channel"}, "augmentation": [], "batch_size": 32, "epochs": 50, "optimizer": "adam", "learning_rate": 0.001, "momentum": 0.0, "nesterov": false, "weight_decay": 0.0, "schedule": "plateau", "plateau_factor": 0.5, "plateau_patience": 5, "early_stopping_patience": 10, "label_smoothing": 0.0, "precision": "float32"}', NULL, 'queued', 0, 1795500428.080011, NULL, 0, NULL, NULL, false, 0, 50, NULL, NULL, NULL, '', 1795500428.080012, NULL, NULL, 0, false, NULL, NULL, -1, NULL);
INSERT INTO public.jobs VALUES (6, '9213fa9e23fbed66', 'cancelled', 6, '{"dataset": "cifar100-20", "validation_fraction": 0.2, "split_seed": 42, "model": "small_cnn", "arguments": {"conv_depths": [32, 64], "hidden_units": 128, "batch_norm": false, "dropout": 0.0, "dropout_kind": "channel"}, "augmentation": [], "batch_size": 32, "epochs": 50, "optimizer": "adam", "learning_rate": 0.001, "momentum": 0.0, "nesterov": false, "weight_decay": 0.0, "schedule": "plateau", "plateau_factor": 0.5, "plateau_patience": 5, "early_stopping_patience": 10, "label_smoothing": 0.0, "precision": "float32"}', NULL, 'cancelled', 0, 1795500428.08002, NULL, 0, NULL, NULL, false, 0, 50, NULL, NULL, 'cancelled', '', 1795500428.08002, NULL, 1795500428.090725, 0, false, NULL, NULL, -1, NULL);
INSERT INTO public.jobs VALUES (2, 'ec82fcf01a90cb29', 'failed', 2, '{"dataset": "cifar100-20", "validation_fraction": 0.2, "split_seed": 42, "model": "small_cnn", "arguments": {"conv_depths": [32, 64], "hidden_units": 128, "batch_norm": false, "dropout": 0.0, "dropout_kind": "channel"}, "augmentation": [], "batch_size": 32, "epochs": 50, "optimizer": "adam", "learning_rate": 0.001, "momentum": 0.0, "nesterov": false, "weight_decay": 0.0, "schedule": "plateau", "plateau_factor": 0.5, "plateau_patience": 5, "early_stopping_patience": 10, "label_smoothing": 0.0, "precision": "float32"}', NULL, 'failed', 0, 1795500428.079967, NULL, 1, NULL, NULL, false, 0, 50, NULL, NULL, 'code', 'boom', 1795500428.07997, 1795500428.118963, 1795500428.123245, 1, false, NULL, NULL, -1, NULL);
INSERT INTO public.jobs VALUES (4, 'd646ec3408ec179f', 'running', 4, '{"dataset": "cifar100-20", "validation_fraction": 0.2, "split_seed": 42, "model": "small_cnn", "arguments": {"conv_depths": [32, 64], "hidden_units": 128, "batch_norm": false, "dropout": 0.0, "dropout_kind": "channel"}, "augmentation": [], "batch_size": 32, "epochs": 50, "optimizer": "adam", "learning_rate": 0.001, "momentum": 0.0, "nesterov": false, "weight_decay": 0.0, "schedule": "plateau", "plateau_factor": 0.5, "plateau_patience": 5, "early_stopping_patience": 10, "label_smoothing": 0.0, "precision": "float32"}', NULL, 'running', 0, 1795500428.080001, NULL, 1, 'w/1', 4795500428.146188, false, 1, 50, 0.3, 2, NULL, '', 1795500428.080002, 1795500428.146188, NULL, 1, false, NULL, NULL, -1, NULL);
INSERT INTO public.jobs VALUES (3, '3b0278b21c14a2f7', 'resumed', 3, '{"dataset": "cifar100-20", "validation_fraction": 0.2, "split_seed": 42, "model": "small_cnn", "arguments": {"conv_depths": [32, 64], "hidden_units": 128, "batch_norm": false, "dropout": 0.0, "dropout_kind": "channel"}, "augmentation": [], "batch_size": 32, "epochs": 50, "optimizer": "adam", "learning_rate": 0.001, "momentum": 0.0, "nesterov": false, "weight_decay": 0.0, "schedule": "plateau", "plateau_factor": 0.5, "plateau_patience": 5, "early_stopping_patience": 10, "label_smoothing": 0.0, "precision": "float32"}', NULL, 'done', 0, 1795500428.133387, NULL, 2, 'w/1', NULL, false, 1, 50, 0.3, 2, NULL, '', 1795500428.079991, 1795500428.13671, 1795500428.140202, 2, false, NULL, NULL, -1, NULL);
INSERT INTO public.jobs VALUES (1, '84feb8af27bfae9e', 'done', 1, '{"dataset": "cifar100-20", "validation_fraction": 0.2, "split_seed": 42, "model": "small_cnn", "arguments": {"conv_depths": [32, 64], "hidden_units": 128, "batch_norm": false, "dropout": 0.0, "dropout_kind": "channel"}, "augmentation": [], "batch_size": 32, "epochs": 50, "optimizer": "adam", "learning_rate": 0.001, "momentum": 0.0, "nesterov": false, "weight_decay": 0.0, "schedule": "plateau", "plateau_factor": 0.5, "plateau_patience": 5, "early_stopping_patience": 10, "label_smoothing": 0.0, "precision": "float32"}', NULL, 'done', 0, 1795500428.079428, NULL, 1, 'w/1', NULL, false, 1, 50, 0.3, 2, NULL, '', 1795500428.079434, 1795500428.096538, 1795500428.108042, 1, false, NULL, NULL, -1, 1174);
INSERT INTO public.predictions VALUES (1, 'best', 3, 2, '\x789c636060606084620000180003', '\x789c4b4b4bb33f7be68cedac999220daeeec191f10b607009b650c89');
INSERT INTO public.predictions VALUES (1, 'last', 3, 2, '\x789c636060606084620000180003', '\x789c4b4b4bb33f7be68cedac999220daeeec191f10b607009b650c89');
INSERT INTO public.predictions VALUES (3, 'best', 3, 2, '\x789c636060606084620000180003', '\x789c4b4b4bb33f7be68cedac999220daeeec191f10b607009b650c89');
INSERT INTO public.predictions VALUES (3, 'last', 3, 2, '\x789c636060606084620000180003', '\x789c4b4b4bb33f7be68cedac999220daeeec191f10b607009b650c89');
INSERT INTO public.results VALUES (1, 1, 1, 2, 0.25, 1.75, 0.3, 1.5, 0.5, '[[1, 0], [1, 1]]', 1, 2, 0.25, 1.75, 0.3, 1.5, 0.5, '[[1, 0], [1, 1]]', 1, false, 546388, 12260352, 1.5, 0.5, 100, 'cpu', 'float32', 'ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff', '{"host": "here"}', NULL);
INSERT INTO public.results VALUES (3, 4, 1, 2, 0.25, 1.75, 0.3, 1.5, 0.25, '[[1, 0], [1, 1]]', 1, 2, 0.25, 1.75, 0.3, 1.5, 0.25, '[[1, 0], [1, 1]]', 1, false, 546388, 12260352, 1.5, 0.5, 100, 'cpu', 'float32', 'ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff', '{"host": "here"}', NULL);
INSERT INTO public.submission_jobs VALUES (1, 'done', 1, 1, true);
INSERT INTO public.submission_jobs VALUES (1, 'failed', 2, 2, true);
INSERT INTO public.submission_jobs VALUES (1, 'resumed', 3, 3, true);
INSERT INTO public.submission_jobs VALUES (1, 'running', 4, 4, true);
INSERT INTO public.submission_jobs VALUES (1, 'waiting', 5, 5, true);
INSERT INTO public.submission_jobs VALUES (1, 'cancelled', 6, 6, true);
INSERT INTO public.submissions VALUES (1, 1795500428.075151, 'report', 'A title', '', 'a', 'digits', '{}', '{}', '{}', '{}', '[]', '');
INSERT INTO public.workers VALUES ('w', 'h', 1, 2, 'cpu', 1795500428.087739, 1795500428.087742, NULL);
SELECT pg_catalog.setval('public.artifacts_id_seq', 1, false);
SELECT pg_catalog.setval('public.attempts_id_seq', 5, true);
SELECT pg_catalog.setval('public.events_id_seq', 11, true);
SELECT pg_catalog.setval('public.jobs_id_seq', 6, true);
SELECT pg_catalog.setval('public.submissions_id_seq', 1, true);
ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY public.artifacts
    ADD CONSTRAINT pk_artifacts PRIMARY KEY (id);
ALTER TABLE ONLY public.attempts
    ADD CONSTRAINT pk_attempts PRIMARY KEY (id);
ALTER TABLE ONLY public.datasets
    ADD CONSTRAINT pk_datasets PRIMARY KEY (name, fingerprint, split);
ALTER TABLE ONLY public.epochs
    ADD CONSTRAINT pk_epochs PRIMARY KEY (attempt_id, epoch);
ALTER TABLE ONLY public.events
    ADD CONSTRAINT pk_events PRIMARY KEY (id);
ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT pk_jobs PRIMARY KEY (id);
ALTER TABLE ONLY public.networks
    ADD CONSTRAINT pk_networks PRIMARY KEY (key);
ALTER TABLE ONLY public.predictions
    ADD CONSTRAINT pk_predictions PRIMARY KEY (job_id, weights);
ALTER TABLE ONLY public.results
    ADD CONSTRAINT pk_results PRIMARY KEY (job_id);
ALTER TABLE ONLY public.sources
    ADD CONSTRAINT pk_sources PRIMARY KEY (sha256);
ALTER TABLE ONLY public.submission_jobs
    ADD CONSTRAINT pk_submission_jobs PRIMARY KEY (submission_id, label, seed);
ALTER TABLE ONLY public.submissions
    ADD CONSTRAINT pk_submissions PRIMARY KEY (id);
ALTER TABLE ONLY public.workers
    ADD CONSTRAINT pk_workers PRIMARY KEY (id);
ALTER TABLE ONLY public.artifacts
    ADD CONSTRAINT uq_artifacts_attempt_id_kind_url UNIQUE (attempt_id, kind, url);
ALTER TABLE ONLY public.attempts
    ADD CONSTRAINT uq_attempts_job_id_number UNIQUE (job_id, number);
ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT uq_jobs_key UNIQUE (key);
CREATE INDEX ix_artifacts_attempt_id ON public.artifacts USING btree (attempt_id);
CREATE INDEX ix_events_job_id ON public.events USING btree (job_id);
CREATE INDEX ix_jobs_lease ON public.jobs USING btree (state, lease_until);
CREATE INDEX ix_jobs_urgency ON public.jobs USING btree (state, priority DESC, train_flops DESC, id);
CREATE INDEX ix_submission_jobs_job_id ON public.submission_jobs USING btree (job_id);
CREATE INDEX ix_submissions_scope ON public.submissions USING btree (scope);
ALTER TABLE ONLY public.artifacts
    ADD CONSTRAINT fk_artifacts_attempt_id FOREIGN KEY (attempt_id) REFERENCES public.attempts(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.attempts
    ADD CONSTRAINT fk_attempts_job_id FOREIGN KEY (job_id) REFERENCES public.jobs(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.epochs
    ADD CONSTRAINT fk_epochs_attempt_id FOREIGN KEY (attempt_id) REFERENCES public.attempts(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.events
    ADD CONSTRAINT fk_events_job_id FOREIGN KEY (job_id) REFERENCES public.jobs(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.predictions
    ADD CONSTRAINT fk_predictions_job_id FOREIGN KEY (job_id) REFERENCES public.jobs(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.results
    ADD CONSTRAINT fk_results_attempt_id FOREIGN KEY (attempt_id) REFERENCES public.attempts(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.results
    ADD CONSTRAINT fk_results_job_id FOREIGN KEY (job_id) REFERENCES public.jobs(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.submission_jobs
    ADD CONSTRAINT fk_submission_jobs_job_id FOREIGN KEY (job_id) REFERENCES public.jobs(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.submission_jobs
    ADD CONSTRAINT fk_submission_jobs_submission_id FOREIGN KEY (submission_id) REFERENCES public.submissions(id) ON DELETE CASCADE;
