-- A database of version 1, with an event and a delivery.
CREATE TABLE deliveries (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    target TEXT NOT NULL,
    event_id TEXT NOT NULL,
    phase TEXT,
    files TEXT NOT NULL,
    event TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    error TEXT NOT NULL DEFAULT '',
    time REAL NOT NULL DEFAULT ((julianday('now') - 2440587.5) * 86400.0)
);
INSERT INTO "deliveries" VALUES(1,'mqtt','01M8BVM4G065D6W5V9GWVVC959','end','[]','{"id": "01M8BVM4G065D6W5V9GWVVC959", "camera": "gate", "rule": "door", "kind": "enter", "start_time": 1795694400.0, "start_s": 5.0, "track": 4, "label": "Person", "direction": "", "end_time": 1795694402.0, "end_s": 7.0, "zones": "[\"door\"]", "score": 0.75, "value": null, "text": "", "revision": 1, "ending": "rule", "clip": "", "annotated": "", "boxes": "", "snapshot": "", "crop": "", "clip_start_time": null, "clip_duration_s": null, "bytes": 0, "favourite": 0}',0,'',1795694402.0);
CREATE TABLE events (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    camera TEXT NOT NULL,
    rule TEXT NOT NULL,
    kind TEXT NOT NULL,
    start_time REAL NOT NULL,
    start_s REAL NOT NULL,
    track INTEGER NOT NULL,
    label TEXT NOT NULL,
    direction TEXT NOT NULL,
    end_time REAL,
    end_s REAL,
    zones TEXT NOT NULL,
    score REAL,
    value INTEGER,
    text TEXT NOT NULL,
    revision INTEGER NOT NULL,
    ending TEXT,
    clip TEXT NOT NULL,
    annotated TEXT NOT NULL,
    boxes TEXT NOT NULL,
    snapshot TEXT NOT NULL,
    crop TEXT NOT NULL,
    clip_start_time REAL,
    clip_duration_s REAL,
    bytes INTEGER NOT NULL,
    favourite INTEGER NOT NULL
);
INSERT INTO "events" VALUES(1,'01M8BVM4G065D6W5V9GWVVC959','gate','door','enter',1795694400.0,5.0,4,'Person','',1795694402.0,7.0,'["door"]',0.75,NULL,'',1,'rule','','','','','',NULL,NULL,0,1);
CREATE TABLE removed_files (path TEXT NOT NULL PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE state (name TEXT NOT NULL PRIMARY KEY, value) WITHOUT ROWID;
CREATE INDEX events_by_time ON events (start_time, bytes);
CREATE INDEX events_by_camera ON events (camera, start_time);
CREATE INDEX events_by_camera_and_label ON events (camera, label, start_time);
CREATE INDEX events_by_label ON events (label, start_time);
CREATE INDEX events_by_rule ON events (rule, start_time);
CREATE INDEX events_by_kind ON events (kind, start_time);
CREATE INDEX events_open ON events (start_time) WHERE end_time IS NULL;
CREATE INDEX events_favourite ON events (start_time) WHERE favourite;
CREATE INDEX deliveries_by_target ON deliveries (target, number);
PRAGMA user_version = 1;
PRAGMA application_id = 1398033746;
