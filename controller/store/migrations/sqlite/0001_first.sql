-- The first schema. An applied migration never changes: add another file.
--
-- Every key begins with the namespace, interned as lane.ns so that rows stay narrow. Instants are microseconds since
-- 1970 in UTC, money is minor units. Rows that are read whole under their key and stay small are WITHOUT ROWID; wide
-- rows, and those found in several ways, have a rowid, which keeps their indexes small.

PRAGMA application_id = 1178684998; -- "FANF"

-- One row a namespace: how far its lane has come, and the last hashes of its ledger and of its audit trail.
CREATE TABLE lane (
    ns INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    seq INTEGER NOT NULL CHECK (seq >= 0),
    chain BLOB NOT NULL CHECK (length(chain) = 32),
    audit BLOB NOT NULL CHECK (length(audit) = 32)
) STRICT;

-- One row a restore, and the first.
CREATE TABLE incarnation (
    number INTEGER PRIMARY KEY,
    reason TEXT NOT NULL
) STRICT;
INSERT INTO incarnation (number, reason) VALUES (1, 'created');

CREATE TABLE settings (
    name TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- The ledger: transactions and their entries, appended and never changed. They name accounts, not persons.
CREATE TABLE ledger (
    ns INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    at INTEGER NOT NULL,
    rule TEXT NOT NULL,
    reference TEXT NOT NULL,
    chain BLOB NOT NULL CHECK (length(chain) = 32),
    PRIMARY KEY (ns, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE entries (
    ns INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    line INTEGER NOT NULL,
    account TEXT NOT NULL,
    unit TEXT NOT NULL,
    amount INTEGER NOT NULL,
    PRIMARY KEY (ns, seq, line)
) STRICT, WITHOUT ROWID;
-- A wallet shows its own lines; no other account is read by line, so no other is in the index.
CREATE INDEX entries_wallet ON entries (ns, account, seq, line) WHERE account GLOB 'wallet/*';

CREATE TRIGGER ledger_is_not_updated BEFORE UPDATE ON ledger
BEGIN SELECT RAISE (ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER ledger_is_not_deleted BEFORE DELETE ON ledger
BEGIN SELECT RAISE (ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER entries_are_not_updated BEFORE UPDATE ON entries
BEGIN SELECT RAISE (ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER entries_are_not_deleted BEFORE DELETE ON entries
BEGIN SELECT RAISE (ABORT, 'the ledger is append-only'); END;

-- Sums of entries, kept in the transaction that appends them.
CREATE TABLE balances (
    ns INTEGER NOT NULL,
    account TEXT NOT NULL,
    unit TEXT NOT NULL,
    amount INTEGER NOT NULL,
    PRIMARY KEY (ns, account, unit)
) STRICT, WITHOUT ROWID;

CREATE TABLE counters (
    ns INTEGER NOT NULL,
    key TEXT NOT NULL,
    value INTEGER NOT NULL,
    PRIMARY KEY (ns, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE members (
    ns INTEGER NOT NULL,
    id TEXT NOT NULL,
    account TEXT NOT NULL,
    attributes TEXT NOT NULL,
    tags TEXT NOT NULL,
    consent TEXT NOT NULL,
    identities TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    merged_into TEXT,
    PRIMARY KEY (ns, id),
    UNIQUE (ns, account)
) STRICT, WITHOUT ROWID;

-- The identities of members once more, to be found by and to be unique.
CREATE TABLE identities (
    ns INTEGER NOT NULL,
    type TEXT NOT NULL,
    value TEXT NOT NULL,
    member TEXT NOT NULL,
    PRIMARY KEY (ns, type, value)
) STRICT, WITHOUT ROWID;
CREATE INDEX identities_member ON identities (ns, member);

CREATE TABLE list_members (
    ns INTEGER NOT NULL,
    list TEXT NOT NULL,
    member TEXT NOT NULL,
    PRIMARY KEY (ns, list, member)
) STRICT, WITHOUT ROWID;

CREATE TABLE events (
    row INTEGER PRIMARY KEY,
    ns INTEGER NOT NULL,
    source TEXT NOT NULL,
    id TEXT NOT NULL,
    type TEXT NOT NULL,
    member TEXT,
    time INTEGER NOT NULL,
    digest TEXT NOT NULL,
    data TEXT NOT NULL,
    decisions TEXT NOT NULL,
    UNIQUE (ns, source, id)
) STRICT;

CREATE TABLE participations (
    ns INTEGER NOT NULL,
    campaign TEXT NOT NULL,
    member TEXT NOT NULL,
    joined_at INTEGER NOT NULL,
    touched_at INTEGER NOT NULL,
    converted INTEGER NOT NULL,
    revision TEXT NOT NULL,
    PRIMARY KEY (ns, campaign, member)
) STRICT, WITHOUT ROWID;

-- Plans that rows were made under (rewards of grants, automations of runs), once each; their digest is their identity.
CREATE TABLE terms (
    id INTEGER PRIMARY KEY,
    ns INTEGER NOT NULL,
    digest TEXT NOT NULL,
    body TEXT NOT NULL,
    UNIQUE (ns, digest)
) STRICT;

CREATE TABLE grants (
    row INTEGER PRIMARY KEY,
    ns INTEGER NOT NULL,
    id TEXT NOT NULL,
    member TEXT NOT NULL,
    reward TEXT NOT NULL,
    terms INTEGER NOT NULL REFERENCES terms (id),
    campaign TEXT,
    mechanic TEXT,
    cause TEXT NOT NULL,
    code TEXT,
    state TEXT NOT NULL,
    issued_at INTEGER NOT NULL,
    claim_by INTEGER,
    claimed_at INTEGER,
    valid_from INTEGER,
    valid_until INTEGER,
    uses_left INTEGER NOT NULL,
    reserved INTEGER NOT NULL,
    history TEXT NOT NULL,
    UNIQUE (ns, id)
) STRICT;
CREATE UNIQUE INDEX grants_code ON grants (ns, code) WHERE code IS NOT NULL;
-- Not by state: a redemption would then move its voucher within this index too.
CREATE INDEX grants_member ON grants (ns, member, id);
CREATE INDEX grants_cause ON grants (ns, cause);

CREATE TABLE orders (
    row INTEGER PRIMARY KEY,
    ns INTEGER NOT NULL,
    id TEXT NOT NULL,
    state TEXT NOT NULL,
    digest TEXT NOT NULL,
    cart TEXT NOT NULL,
    evaluation TEXT NOT NULL,
    revision TEXT NOT NULL,
    booking TEXT NOT NULL,
    expires_at INTEGER,
    receipt_number TEXT,
    business_date TEXT,
    occurred_at INTEGER NOT NULL,
    committed_at INTEGER,
    returns TEXT NOT NULL,
    exception TEXT,
    reported INTEGER NOT NULL,
    UNIQUE (ns, id)
) STRICT;

CREATE TABLE redemptions (
    row INTEGER PRIMARY KEY,
    ns INTEGER NOT NULL,
    id TEXT NOT NULL,
    grant_id TEXT NOT NULL,
    order_id TEXT,
    store TEXT,
    terminal TEXT,
    state TEXT NOT NULL,
    live INTEGER NOT NULL,
    amount INTEGER NOT NULL,
    expires_at INTEGER,
    created_at INTEGER NOT NULL,
    reversals TEXT NOT NULL,
    UNIQUE (ns, id),
    FOREIGN KEY (ns, grant_id) REFERENCES grants (ns, id)
) STRICT;
-- A voucher has at most one redemption that holds or has used it.
CREATE UNIQUE INDEX redemptions_live ON redemptions (ns, grant_id) WHERE live = 1;
CREATE INDEX redemptions_order ON redemptions (ns, order_id) WHERE order_id IS NOT NULL;

CREATE TABLE holds (
    ns INTEGER NOT NULL,
    id TEXT NOT NULL,
    campaign TEXT NOT NULL,
    mechanic TEXT NOT NULL,
    sku TEXT NOT NULL,
    quantity INTEGER NOT NULL,
    member TEXT NOT NULL,
    store TEXT,
    expires_at INTEGER NOT NULL,
    state TEXT NOT NULL,
    order_id TEXT,
    PRIMARY KEY (ns, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE jobs (
    ns INTEGER NOT NULL,
    id TEXT NOT NULL,
    due_at INTEGER NOT NULL,
    task TEXT NOT NULL,
    PRIMARY KEY (ns, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX jobs_due ON jobs (ns, due_at);

CREATE TABLE runs (
    row INTEGER PRIMARY KEY,
    ns INTEGER NOT NULL,
    id TEXT NOT NULL,
    automation TEXT NOT NULL,
    terms INTEGER NOT NULL REFERENCES terms (id),
    member TEXT NOT NULL,
    state TEXT NOT NULL,
    step INTEGER NOT NULL,
    entered_at INTEGER NOT NULL,
    left_at INTEGER,
    trigger_data TEXT NOT NULL,
    UNIQUE (ns, id)
) STRICT;
CREATE INDEX runs_member ON runs (ns, automation, member);
CREATE INDEX runs_active ON runs (ns, automation, id) WHERE state = 'Active';

CREATE TABLE messages (
    row INTEGER PRIMARY KEY,
    ns INTEGER NOT NULL,
    id TEXT NOT NULL,
    member TEXT NOT NULL,
    channel TEXT NOT NULL,
    in_app INTEGER NOT NULL,
    template TEXT NOT NULL,
    cause TEXT NOT NULL,
    campaign TEXT,
    subject TEXT NOT NULL,
    body TEXT NOT NULL,
    locale TEXT NOT NULL,
    skip_when_ambiguous INTEGER NOT NULL,
    marketing INTEGER NOT NULL,
    state TEXT NOT NULL,
    reason TEXT,
    attempts INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    sent_at INTEGER,
    read_at INTEGER,
    UNIQUE (ns, id),
    UNIQUE (ns, cause)
) STRICT;
CREATE INDEX messages_queued ON messages (ns, id) WHERE state = 'Queued';
CREATE INDEX messages_sending ON messages (ns, id) WHERE state = 'Sending';
CREATE INDEX messages_inbox ON messages (ns, member, id) WHERE in_app = 1 AND state = 'Sent';

-- Answers to idempotent calls. Rows are appended in time order, so that the oldest are found without an index.
CREATE TABLE idempotency (
    row INTEGER PRIMARY KEY,
    ns INTEGER NOT NULL,
    scope TEXT NOT NULL,
    key TEXT NOT NULL,
    digest TEXT NOT NULL,
    status INTEGER NOT NULL,
    at INTEGER NOT NULL,
    body BLOB NOT NULL,
    UNIQUE (ns, scope, key)
) STRICT;

CREATE TABLE published (
    ns INTEGER NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    revision TEXT NOT NULL,
    plan TEXT NOT NULL,
    generation INTEGER NOT NULL,
    at INTEGER NOT NULL,
    author TEXT,
    settled INTEGER NOT NULL,
    retired INTEGER NOT NULL,
    served INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    PRIMARY KEY (ns, kind, name, revision)
) STRICT;
CREATE UNIQUE INDEX published_served ON published (ns, kind, name) WHERE served = 1;

CREATE TABLE audit (
    row INTEGER PRIMARY KEY,
    ns INTEGER NOT NULL,
    id TEXT NOT NULL,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    object TEXT NOT NULL,
    detail TEXT NOT NULL,
    chain BLOB NOT NULL CHECK (length(chain) = 32),
    UNIQUE (ns, id)
) STRICT;
CREATE TRIGGER audit_is_not_updated BEFORE UPDATE ON audit
BEGIN SELECT RAISE (ABORT, 'the audit trail is append-only'); END;
CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit
BEGIN SELECT RAISE (ABORT, 'the audit trail is append-only'); END;

CREATE TABLE credentials (
    ns INTEGER NOT NULL REFERENCES lane (ns),
    id TEXT NOT NULL,
    digest TEXT NOT NULL UNIQUE,
    store TEXT,
    scopes TEXT NOT NULL,
    label TEXT NOT NULL,
    expires_at INTEGER,
    revoked INTEGER NOT NULL,
    PRIMARY KEY (ns, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE refresh_tokens (
    digest TEXT PRIMARY KEY,
    ns INTEGER NOT NULL REFERENCES lane (ns),
    member TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    used INTEGER NOT NULL,
    family TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX refresh_tokens_family ON refresh_tokens (ns, family);
CREATE INDEX refresh_tokens_expiry ON refresh_tokens (ns, expires_at);
