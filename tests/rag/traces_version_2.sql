BEGIN TRANSACTION;
CREATE TABLE feedback (
    trace_id TEXT NOT NULL, user TEXT NOT NULL, up INTEGER, reasons TEXT NOT NULL, comment TEXT NOT NULL,
    correction TEXT NOT NULL, citations TEXT NOT NULL, created_at REAL NOT NULL, PRIMARY KEY (trace_id, user)
);
INSERT INTO "feedback" VALUES('00000000000000000000000000000001','',0,'[]','no','','{}',1790000100.0);
INSERT INTO "feedback" VALUES('00000000000000000000000000000002','',1,'[]','','','{}',1790000101.0);
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, trace_id TEXT NOT NULL, state TEXT NOT NULL,
    revision INTEGER NOT NULL DEFAULT 0, reason TEXT NOT NULL DEFAULT '', tried_at REAL NOT NULL DEFAULT 0,
    UNIQUE (kind, trace_id)
);
INSERT INTO "outbox" VALUES(1,'trace','00000000000000000000000000000001','delivered',0,'',1.79571938070651030546e+09);
INSERT INTO "outbox" VALUES(2,'trace','00000000000000000000000000000002','failed',0,'http://127.0.0.1 answered 413: too large',1.79571938070679497714e+09);
INSERT INTO "outbox" VALUES(3,'trace','00000000000000000000000000000003','pending',0,'http://127.0.0.1 answered 503',1795719380.71927);
INSERT INTO "outbox" VALUES(4,'score','00000000000000000000000000000001','pending',0,'',0.0);
INSERT INTO "outbox" VALUES(5,'score','00000000000000000000000000000002','failed',0,'',0.0);
INSERT INTO "outbox" VALUES(6,'trace','00000000000000000000000000000004','local',0,'',0.0);
INSERT INTO "outbox" VALUES(7,'trace','00000000000000000000000000000005','held',0,'',0.0);
CREATE TABLE pruning (id INTEGER PRIMARY KEY CHECK (id = 1), at REAL NOT NULL);
INSERT INTO "pruning" VALUES(1,1.7957193807042665482e+09);
CREATE TABLE sent_scores (trace_id TEXT NOT NULL, id TEXT NOT NULL, PRIMARY KEY (trace_id, id));
CREATE TABLE signals (trace_id TEXT NOT NULL, signal TEXT NOT NULL, at REAL NOT NULL);
CREATE TABLE traces (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, started_at REAL NOT NULL, duration_ms REAL NOT NULL,
    status TEXT NOT NULL, question TEXT NOT NULL, answer TEXT NOT NULL, abstained INTEGER NOT NULL,
    supported_share REAL, body TEXT NOT NULL, 
    cost REAL, models TEXT NOT NULL DEFAULT '', prompts TEXT NOT NULL DEFAULT '',
    given_before TEXT NOT NULL DEFAULT '', index_version TEXT NOT NULL DEFAULT '',
    user TEXT NOT NULL DEFAULT '', session TEXT NOT NULL DEFAULT ''

);
INSERT INTO "traces" VALUES('00000000000000000000000000000001','ask',1790000001.0,1500.0,'ok','How many days?','30 days [1].',0,1.0,'{"id": "00000000000000000000000000000001", "name": "ask", "started_at": 1790000001.0, "ended_at": 1790000002.5, "status": "ok", "input": "How many days?", "output": "30 days [1].", "attributes": {"supported_share": 1.0, "cost": 0.5, "user_id": "ada"}, "steps": [{"id": "0000000000000001", "parent_id": null, "name": "generate", "kind": "generation", "started_at": 1790000001.1, "ended_at": 1790000002.0, "attributes": {"model": "openai:large", "resolved_model": "large-1", "output": "30 days"}, "error": null}]}',0.5,'large-1','','','','ada','');
INSERT INTO "traces" VALUES('00000000000000000000000000000002','ask',1790000002.0,1500.0,'ok','How many days?','30 days [1].',0,1.0,'{"id": "00000000000000000000000000000002", "name": "ask", "started_at": 1790000002.0, "ended_at": 1790000003.5, "status": "ok", "input": "How many days?", "output": "30 days [1].", "attributes": {"supported_share": 1.0, "cost": 0.5, "user_id": "ada"}, "steps": [{"id": "0000000000000002", "parent_id": null, "name": "generate", "kind": "generation", "started_at": 1790000002.1, "ended_at": 1790000003.0, "attributes": {"model": "openai:large", "resolved_model": "large-1", "output": "30 days"}, "error": null}]}',0.5,'large-1','','','','ada','');
INSERT INTO "traces" VALUES('00000000000000000000000000000003','ask',1790000003.0,1500.0,'ok','How many days?','30 days [1].',0,1.0,'{"id": "00000000000000000000000000000003", "name": "ask", "started_at": 1790000003.0, "ended_at": 1790000004.5, "status": "ok", "input": "How many days?", "output": "30 days [1].", "attributes": {"supported_share": 1.0, "cost": 0.5, "user_id": "ada"}, "steps": [{"id": "0000000000000003", "parent_id": null, "name": "generate", "kind": "generation", "started_at": 1790000003.1, "ended_at": 1790000004.0, "attributes": {"model": "openai:large", "resolved_model": "large-1", "output": "30 days"}, "error": null}]}',0.5,'large-1','','','','ada','');
INSERT INTO "traces" VALUES('00000000000000000000000000000004','ask',1790000004.0,1500.0,'ok','How many days?','30 days [1].',0,1.0,'{"id": "00000000000000000000000000000004", "name": "ask", "started_at": 1790000004.0, "ended_at": 1790000005.5, "status": "ok", "input": "How many days?", "output": "30 days [1].", "attributes": {"supported_share": 1.0, "cost": 0.5, "user_id": "ada"}, "steps": [{"id": "0000000000000004", "parent_id": null, "name": "generate", "kind": "generation", "started_at": 1790000004.1, "ended_at": 1790000005.0, "attributes": {"model": "openai:large", "resolved_model": "large-1", "output": "30 days"}, "error": null}]}',0.5,'large-1','','','','ada','');
INSERT INTO "traces" VALUES('00000000000000000000000000000005','ask',1790000005.0,1500.0,'ok','How many days?','30 days [1].',0,1.0,'{"id": "00000000000000000000000000000005", "name": "ask", "started_at": 1790000005.0, "ended_at": 1790000006.5, "status": "ok", "input": "How many days?", "output": "30 days [1].", "attributes": {"supported_share": 1.0, "cost": 0.5, "user_id": "ada"}, "steps": [{"id": "0000000000000005", "parent_id": null, "name": "generate", "kind": "generation", "started_at": 1790000005.1, "ended_at": 1790000006.0, "attributes": {"model": "openai:large", "resolved_model": "large-1", "output": "30 days"}, "error": null}]}',0.5,'large-1','','','','ada','');
CREATE TABLE triage (trace_id TEXT PRIMARY KEY, state TEXT NOT NULL, decided_at REAL NOT NULL);
CREATE INDEX traces_by_time ON traces (started_at);
CREATE INDEX signals_by_trace ON signals (trace_id);
CREATE INDEX outbox_by_state ON outbox (state, id);
CREATE INDEX outbox_by_trace ON outbox (trace_id);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('outbox',7);
COMMIT;
PRAGMA user_version = 2;
