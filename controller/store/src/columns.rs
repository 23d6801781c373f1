//! The columns that a row is read from, in the order in which `decode` reads them.
//!
//! Macros, since a statement is put together from them when this is compiled.

macro_rules! columns {
    ($($name:ident = $columns:literal;)*) => {$(
        macro_rules! $name {
            () => {
                $columns
            };
        }
    )*};
}

columns! {
    member_columns = "id, account, attributes, tags, consent, identities, created_at, merged_into";
    grant_columns = "terms, id, member, campaign, mechanic, cause, code, state, issued_at, claim_by, claimed_at, \
        valid_from, valid_until, uses_left, reserved, history, usage";
    order_columns = "id, state, digest, cart, evaluation, revision, booking, expires_at, receipt_number, \
        business_date, occurred_at, committed_at, returns, exception, reported";
    redemption_columns =
        "id, grant_id, order_id, store, terminal, state, amount, expires_at, created_at, reversals, place";
    hold_columns = "id, campaign, mechanic, sku, quantity, member, store, expires_at, state, order_id";
    participation_columns = "campaign, member, joined_at, touched_at, converted, revision";
    event_columns = "source, id, type, member, time, digest, data, decisions";
    run_columns = "terms, id, member, state, step, entered_at, left_at, trigger_data";
    message_columns = "id, member, channel, in_app, template, cause, campaign, subject, body, locale, \
        skip_when_ambiguous, marketing, state, reason, attempts, created_at, sent_at, read_at";
    job_columns = "id, due_at, task";
    idempotency_columns = "scope, key, digest, status, body, at";
    published_columns = "kind, name, revision, plan, generation, at, author, settled, retired";
    audit_columns = "id, at, actor, action, object, detail";
    line_columns = "e.seq, e.line, l.at, l.rule, l.reference, e.account, e.unit, e.amount, l.chain";
    credential_columns = "c.id, lane.name, c.digest, c.store, c.scopes, c.label, c.expires_at, c.revoked";
    refresh_token_columns = "t.digest, lane.name, t.member, t.expires_at, t.used, t.family";
}
