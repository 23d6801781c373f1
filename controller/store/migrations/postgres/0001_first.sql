-- The first schema. An applied migration never changes: add another file.
--
-- The tables are SQLite's. Every key begins with the namespace, interned as lane.ns so that rows stay narrow; only the
-- digests of secrets are unique across namespaces. Instants are microseconds since 1970 in UTC, money is minor units.
-- Texts that are keys compare by their bytes (COLLATE "C"): pages and prefixes must not depend on a locale. Structures are
-- text, since what they hold has to come back as it was written, and jsonb refuses some of it. Room is left in pages of rows
-- that change in place (fillfactor), so that a change touches no index. The id of a namespace or of terms is written by
-- the statement that refers to it, which fails without them: foreign keys would cost a look-up a row more.

-- One row a namespace: how far its lane has come, the last hashes of its ledger and of its audit trail, and up to which
-- sequence its news are no longer kept. Whoever writes locks it first.
CREATE TABLE lane (
    ns bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text COLLATE "C" NOT NULL UNIQUE,
    seq bigint NOT NULL CHECK (seq >= 0),
    chain bytea NOT NULL CHECK (length(chain) = 32),
    audit bytea NOT NULL CHECK (length(audit) = 32),
    forgotten bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 10);

-- What followers in other processes have to learn of each batch; kept for some minutes.
CREATE TABLE news (
    ns bigint NOT NULL,
    seq bigint NOT NULL,
    at bigint NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (ns, seq)
);

-- One row a restore, and the first.
CREATE TABLE incarnation (
    number bigint PRIMARY KEY,
    reason text NOT NULL
);
INSERT INTO incarnation (number, reason) VALUES (1, 'created');

CREATE TABLE settings (
    name text COLLATE "C" PRIMARY KEY,
    value bytea NOT NULL
);

-- The ledger: transactions and their entries, appended and never changed. They name accounts, not persons.
CREATE TABLE ledger (
    ns bigint NOT NULL,
    seq bigint NOT NULL,
    at bigint NOT NULL,
    rule text NOT NULL,
    reference text NOT NULL,
    chain bytea NOT NULL CHECK (length(chain) = 32),
    PRIMARY KEY (ns, seq)
);

CREATE TABLE entries (
    ns bigint NOT NULL,
    seq bigint NOT NULL,
    line bigint NOT NULL,
    account text COLLATE "C" NOT NULL,
    unit text COLLATE "C" NOT NULL,
    amount bigint NOT NULL,
    PRIMARY KEY (ns, seq, line)
);
-- A wallet shows its own lines; no other account is read by line, so no other is in the index.
CREATE INDEX entries_wallet ON entries (ns, account, seq, line) WHERE starts_with(account, 'wallet/');

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_ARGV[0];
END
$$;
CREATE TRIGGER ledger_is_not_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('the ledger');
CREATE TRIGGER entries_are_not_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON entries
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('the ledger');

-- Sums of entries, kept in the transaction that appends them.
CREATE TABLE balances (
    ns bigint NOT NULL,
    account text COLLATE "C" NOT NULL,
    unit text COLLATE "C" NOT NULL,
    amount bigint NOT NULL,
    PRIMARY KEY (ns, account, unit)
) WITH (fillfactor = 70);

CREATE TABLE counters (
    ns bigint NOT NULL,
    key text COLLATE "C" NOT NULL,
    value bigint NOT NULL,
    PRIMARY KEY (ns, key)
) WITH (fillfactor = 70);

CREATE TABLE members (
    ns bigint NOT NULL,
    id text COLLATE "C" NOT NULL,
    account text COLLATE "C" NOT NULL,
    attributes text NOT NULL,
    tags text NOT NULL,
    consent text NOT NULL,
    identities text NOT NULL,
    created_at bigint NOT NULL,
    merged_into text,
    PRIMARY KEY (ns, id),
    UNIQUE (ns, account)
) WITH (fillfactor = 90);

-- The identities of members once more, to be found by and to be unique.
CREATE TABLE identities (
    ns bigint NOT NULL,
    type text COLLATE "C" NOT NULL,
    value text COLLATE "C" NOT NULL,
    member text COLLATE "C" NOT NULL,
    PRIMARY KEY (ns, type, value)
);
CREATE INDEX identities_member ON identities (ns, member);

CREATE TABLE list_members (
    ns bigint NOT NULL,
    list text COLLATE "C" NOT NULL,
    member text COLLATE "C" NOT NULL,
    PRIMARY KEY (ns, list, member)
);

-- Rows are numbered as they are accepted: the lane lets one batch write at a time.
CREATE TABLE events (
    ns bigint NOT NULL,
    row bigint GENERATED ALWAYS AS IDENTITY,
    source text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    type text NOT NULL,
    member text,
    time bigint NOT NULL,
    digest text NOT NULL,
    data text NOT NULL,
    decisions text NOT NULL,
    PRIMARY KEY (ns, row),
    UNIQUE (ns, source, id)
);

CREATE TABLE participations (
    ns bigint NOT NULL,
    campaign text COLLATE "C" NOT NULL,
    member text COLLATE "C" NOT NULL,
    joined_at bigint NOT NULL,
    touched_at bigint NOT NULL,
    converted boolean NOT NULL,
    revision text NOT NULL,
    PRIMARY KEY (ns, campaign, member)
) WITH (fillfactor = 80);

-- Plans that rows were made under (rewards of grants, automations of runs), once each; their digest is their identity.
CREATE TABLE terms (
    ns bigint NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    digest text COLLATE "C" NOT NULL,
    body text NOT NULL,
    PRIMARY KEY (ns, id),
    UNIQUE (ns, digest)
);

CREATE TABLE grants (
    ns bigint NOT NULL,
    id text COLLATE "C" NOT NULL,
    member text COLLATE "C" NOT NULL,
    reward text COLLATE "C" NOT NULL,
    terms bigint NOT NULL,
    campaign text,
    mechanic text,
    cause text COLLATE "C" NOT NULL,
    code text COLLATE "C",
    state text NOT NULL,
    issued_at bigint NOT NULL,
    claim_by bigint,
    claimed_at bigint,
    valid_from bigint,
    valid_until bigint,
    uses_left bigint NOT NULL,
    reserved bigint NOT NULL,
    history text NOT NULL,
    PRIMARY KEY (ns, id)
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX grants_code ON grants (ns, code) WHERE code IS NOT NULL;
-- Not by state: a redemption would then move its voucher within every index.
CREATE INDEX grants_member ON grants (ns, member, id);
CREATE INDEX grants_cause ON grants (ns, cause);

CREATE TABLE orders (
    ns bigint NOT NULL,
    id text COLLATE "C" NOT NULL,
    state text NOT NULL,
    digest text NOT NULL,
    cart text NOT NULL,
    evaluation text NOT NULL,
    revision text NOT NULL,
    booking text NOT NULL,
    expires_at bigint,
    receipt_number text,
    business_date text,
    occurred_at bigint NOT NULL,
    committed_at bigint,
    returns text NOT NULL,
    exception text,
    reported boolean NOT NULL,
    PRIMARY KEY (ns, id)
) WITH (fillfactor = 80);

CREATE TABLE redemptions (
    ns bigint NOT NULL,
    id text COLLATE "C" NOT NULL,
    grant_id text COLLATE "C" NOT NULL,
    order_id text COLLATE "C",
    store text,
    terminal text,
    state text NOT NULL,
    live boolean NOT NULL,
    amount bigint NOT NULL,
    expires_at bigint,
    created_at bigint NOT NULL,
    reversals text NOT NULL,
    PRIMARY KEY (ns, id)
) WITH (fillfactor = 80);
-- A voucher has at most one redemption that holds or has used it.
CREATE UNIQUE INDEX redemptions_live ON redemptions (ns, grant_id) WHERE live;
CREATE INDEX redemptions_order ON redemptions (ns, order_id) WHERE order_id IS NOT NULL;

CREATE TABLE holds (
    ns bigint NOT NULL,
    id text COLLATE "C" NOT NULL,
    campaign text NOT NULL,
    mechanic text NOT NULL,
    sku text NOT NULL,
    quantity bigint NOT NULL,
    member text NOT NULL,
    store text,
    expires_at bigint NOT NULL,
    state text NOT NULL,
    order_id text,
    PRIMARY KEY (ns, id)
) WITH (fillfactor = 80);

CREATE TABLE jobs (
    ns bigint NOT NULL,
    id text COLLATE "C" NOT NULL,
    due_at bigint NOT NULL,
    task text NOT NULL,
    PRIMARY KEY (ns, id)
);
CREATE INDEX jobs_due ON jobs (ns, due_at, id);

CREATE TABLE runs (
    ns bigint NOT NULL,
    id text COLLATE "C" NOT NULL,
    automation text COLLATE "C" NOT NULL,
    terms bigint NOT NULL,
    member text COLLATE "C" NOT NULL,
    state text NOT NULL,
    step bigint NOT NULL,
    entered_at bigint NOT NULL,
    left_at bigint,
    trigger_data text NOT NULL,
    PRIMARY KEY (ns, id)
) WITH (fillfactor = 80);
CREATE INDEX runs_member ON runs (ns, automation, member);
CREATE INDEX runs_active ON runs (ns, automation, id) WHERE state = 'Active';

CREATE TABLE messages (
    ns bigint NOT NULL,
    id text COLLATE "C" NOT NULL,
    member text COLLATE "C" NOT NULL,
    channel text NOT NULL,
    in_app boolean NOT NULL,
    template text NOT NULL,
    cause text COLLATE "C" NOT NULL,
    campaign text,
    subject text NOT NULL,
    body text NOT NULL,
    locale text NOT NULL,
    skip_when_ambiguous boolean NOT NULL,
    marketing boolean NOT NULL,
    state text NOT NULL,
    reason text,
    attempts bigint NOT NULL,
    created_at bigint NOT NULL,
    sent_at bigint,
    read_at bigint,
    PRIMARY KEY (ns, id),
    UNIQUE (ns, cause)
) WITH (fillfactor = 80);
CREATE INDEX messages_queued ON messages (ns, id) WHERE state = 'Queued';
CREATE INDEX messages_sending ON messages (ns, id) WHERE state = 'Sending';
CREATE INDEX messages_inbox ON messages (ns, member, id) WHERE in_app AND state = 'Sent';

-- Answers to idempotent calls. Rows are numbered in time order, so that the oldest are found without an index by instant.
CREATE TABLE idempotency (
    ns bigint NOT NULL,
    row bigint GENERATED ALWAYS AS IDENTITY,
    scope text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    digest text NOT NULL,
    status bigint NOT NULL,
    at bigint NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (ns, row),
    UNIQUE (ns, scope, key)
);

CREATE TABLE published (
    ns bigint NOT NULL,
    kind text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    revision text COLLATE "C" NOT NULL,
    plan text NOT NULL,
    generation bigint NOT NULL,
    at bigint NOT NULL,
    author text,
    settled boolean NOT NULL,
    retired boolean NOT NULL,
    served boolean NOT NULL,
    ordinal bigint NOT NULL,
    PRIMARY KEY (ns, kind, name, revision)
);
CREATE UNIQUE INDEX published_served ON published (ns, kind, name) WHERE served;

CREATE TABLE audit (
    ns bigint NOT NULL,
    row bigint GENERATED ALWAYS AS IDENTITY,
    id text COLLATE "C" NOT NULL,
    at bigint NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    object text NOT NULL,
    detail text NOT NULL,
    chain bytea NOT NULL CHECK (length(chain) = 32),
    PRIMARY KEY (ns, row),
    UNIQUE (ns, id)
);
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('the audit trail');

CREATE TABLE credentials (
    ns bigint NOT NULL REFERENCES lane (ns),
    id text COLLATE "C" NOT NULL,
    digest text COLLATE "C" NOT NULL UNIQUE,
    store text,
    scopes text NOT NULL,
    label text NOT NULL,
    expires_at bigint,
    revoked boolean NOT NULL,
    PRIMARY KEY (ns, id)
);

CREATE TABLE refresh_tokens (
    digest text COLLATE "C" PRIMARY KEY,
    ns bigint NOT NULL REFERENCES lane (ns),
    member text NOT NULL,
    expires_at bigint NOT NULL,
    used boolean NOT NULL,
    family text COLLATE "C" NOT NULL
);
CREATE INDEX refresh_tokens_family ON refresh_tokens (ns, family);
CREATE INDEX refresh_tokens_expiry ON refresh_tokens (ns, expires_at);
