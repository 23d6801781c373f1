//! Rows of the domain as columns of a database: the counterpart of `decode`. Each function writes the columns of one row
//! in the order in which the statements of both databases pick them; how many rows become a parameter is theirs to say.

use crate::{
    Error, Result,
    chain::Link,
    fold::Placed,
    rows::{
        Audit, Credential, Event, Grant, Hold, Job, Member, Message, Order, Participation, Pooled, Published,
        Redemption, RefreshToken, Run, Stored,
    },
};
use fanfare_core::{
    ids::{MemberId, Name},
    ledger::Entry,
    model::Kind,
    time::Ts,
    uses::Usage,
};
use serde::Serialize;

/// The columns of one row, written in order. Texts never hold NUL: no database keeps it.
pub(crate) trait Put {
    /// A text.
    fn text(&mut self, value: impl AsRef<str>) -> &mut Self;
    /// A text or NULL.
    fn opt_text(&mut self, value: Option<impl AsRef<str>>) -> &mut Self;
    /// A number.
    fn int(&mut self, value: i64) -> &mut Self;
    /// A number or NULL.
    fn opt_int(&mut self, value: Option<i64>) -> &mut Self;
    /// Yes or no.
    fn flag(&mut self, value: bool) -> &mut Self;
    /// A structure, kept as JSON.
    fn json<T: Serialize + ?Sized>(&mut self, value: &T) -> &mut Self;
    /// Bytes; the row's last column.
    fn bytes(&mut self, value: &[u8]) -> &mut Self;
    /// A chain's link; the row's last column.
    fn link(&mut self, value: &Link) -> &mut Self;

    /// An instant.
    fn at(&mut self, value: Ts) -> &mut Self {
        self.int(value.timestamp_micros())
    }

    /// An instant or NULL.
    fn opt_at(&mut self, value: Option<Ts>) -> &mut Self {
        self.opt_int(value.map(|at| at.timestamp_micros()))
    }
}

/// A value as JSON.
pub(crate) fn to_json<T: Serialize + ?Sized>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(unwritable)
}

/// A value that has no JSON.
pub(crate) fn unwritable(error: serde_json::Error) -> Error {
    Error::Corrupt(format!("a row cannot be written: {error}"))
}

pub(crate) fn key<P: Put>(c: &mut P, key: impl AsRef<str>) {
    c.text(key);
}

pub(crate) fn pair<P: Put>(c: &mut P, (one, two): (impl AsRef<str>, impl AsRef<str>)) {
    c.text(one).text(two);
}

pub(crate) fn pooled<P: Put>(c: &mut P, (place, row): (&String, &Pooled)) {
    c.text(place).text(&row.code).opt_text(row.spelling.as_ref());
}

pub(crate) fn member<P: Put>(c: &mut P, row: &Member) {
    c.text(&row.id).text(&row.account).json(&row.attributes).json(&row.tags).json(&row.consent);
    c.json(&row.identities).at(row.created_at).opt_text(row.merged_into.as_ref());
}

pub(crate) fn identity<P: Put>(c: &mut P, ((kind, value), member): (&(String, String), &MemberId)) {
    c.text(kind).text(value).text(member);
}

/// What may change of a grant, but for its holder and code.
pub(crate) fn grant_change<P: Put>(c: &mut P, row: &Grant) {
    c.text(&row.id).text(row.state.as_str()).opt_at(row.claim_by).opt_at(row.claimed_at);
    c.opt_at(row.valid_from).opt_at(row.valid_until).int(row.uses_left).int(row.reserved.0).json(&row.history);
    c.opt_text(usage(row));
}

/// What of a grant is used, as JSON, where its state does not say it all. It is numbers, so that it always has a JSON.
fn usage(row: &Grant) -> Option<String> {
    (row.usage != Usage::default()).then(|| serde_json::to_string(&row.usage).ok()).flatten()
}

/// Who has a grant and under which code.
pub(crate) fn holder<P: Put>(c: &mut P, row: &Grant) {
    c.text(&row.id).text(&row.member).opt_text(row.code.as_ref());
}

/// A grant and the digest of its terms.
pub(crate) fn grant<P: Put>(c: &mut P, (row, digest): (&Grant, &str)) {
    c.text(&row.id).text(&row.member).text(&row.terms.name).text(digest);
    c.opt_text(row.campaign.as_ref()).opt_text(row.mechanic.as_ref()).text(&row.cause);
    c.opt_text(row.code.as_ref()).text(row.state.as_str()).at(row.issued_at).opt_at(row.claim_by);
    c.opt_at(row.claimed_at).opt_at(row.valid_from).opt_at(row.valid_until).int(row.uses_left);
    c.int(row.reserved.0).json(&row.history).opt_text(usage(row));
}

pub(crate) fn order<P: Put>(c: &mut P, row: &Order) {
    c.text(&row.id).text(row.state.as_str()).text(&row.digest).json(&row.cart).json(&row.evaluation);
    c.text(&row.revision).json(&row.booking).opt_at(row.expires_at).opt_text(row.receipt_number.as_ref());
    c.opt_text(row.business_date.as_ref()).at(row.occurred_at).opt_at(row.committed_at).json(&row.returns);
    c.opt_text(row.exception.as_ref()).flag(row.reported);
}

pub(crate) fn redemption<P: Put>(c: &mut P, row: &Redemption) {
    c.text(&row.id).text(&row.grant).opt_text(row.order.as_ref()).opt_text(row.store.as_ref());
    c.opt_text(row.terminal.as_ref()).text(row.state.as_str()).flag(row.state.is_live()).int(row.amount.0);
    c.opt_at(row.expires_at).at(row.created_at).json(&row.reversals).int(row.place);
}

pub(crate) fn hold<P: Put>(c: &mut P, row: &Hold) {
    c.text(&row.id).text(&row.campaign).text(&row.mechanic).text(&row.sku).int(row.quantity);
    c.text(&row.member).opt_text(row.store.as_ref()).at(row.expires_at).text(row.state.as_str());
    c.opt_text(row.order.as_ref());
}

pub(crate) fn participation<P: Put>(c: &mut P, row: &Participation) {
    c.text(&row.campaign).text(&row.member).at(row.joined_at).at(row.touched_at).flag(row.converted);
    c.text(&row.revision);
}

pub(crate) fn event<P: Put>(c: &mut P, row: &Event) {
    c.text(&row.source).text(&row.id).text(&row.kind).opt_text(row.member.as_ref()).at(row.time);
    c.text(&row.digest).json(&row.data).json(&row.decisions);
}

/// A run and the digest of its plan.
pub(crate) fn run<P: Put>(c: &mut P, (row, digest): (&Run, &str)) {
    c.text(&row.id).text(&row.plan.name).text(digest).text(&row.member).text(row.state.as_str());
    c.int(i64::try_from(row.step).unwrap_or(i64::MAX)).at(row.entered_at).opt_at(row.left_at).json(&row.trigger);
}

pub(crate) fn message<P: Put>(c: &mut P, row: &Message) {
    c.text(&row.id).text(&row.member).text(&row.channel).flag(row.in_app).text(&row.template).text(&row.cause);
    c.opt_text(row.campaign.as_ref()).text(&row.subject).text(&row.body).text(&row.locale);
    c.flag(row.skip_when_ambiguous).flag(row.marketing).text(row.state.as_str()).opt_text(row.reason.as_ref());
    c.int(row.attempts).at(row.created_at).opt_at(row.sent_at).opt_at(row.read_at);
}

pub(crate) fn job<P: Put>(c: &mut P, row: &Job) {
    c.text(&row.id).at(row.due_at).json(&row.task);
}

pub(crate) fn stored<P: Put>(c: &mut P, row: &Stored) {
    c.text(&row.scope).text(&row.key).text(&row.digest).int(row.status.into()).at(row.at).bytes(&row.body);
}

pub(crate) fn published<P: Put>(c: &mut P, row: &Published) {
    c.text(row.kind.as_str()).text(&row.name).text(&row.revision).json(&row.plan).int(row.generation);
    c.at(row.at).opt_text(row.author.as_ref()).flag(row.settled).flag(row.retired);
}

pub(crate) fn retired<P: Put>(c: &mut P, (kind, name): &(Kind, Name)) {
    c.text(kind.as_str()).text(name);
}

pub(crate) fn credential<P: Put>(c: &mut P, row: &Credential) {
    c.text(&row.id).text(&row.digest).opt_text(row.store.as_ref()).json(&row.scopes).text(&row.label);
    c.opt_at(row.expires_at).flag(row.revoked);
}

pub(crate) fn refresh_token<P: Put>(c: &mut P, row: &RefreshToken) {
    c.text(&row.digest).text(&row.member).at(row.expires_at).flag(row.used).text(&row.family);
}

/// A row of the audit trail, its detail as it is stored, and its link.
pub(crate) fn audit<P: Put>(c: &mut P, (row, detail, link): &(&Audit, String, Link)) {
    c.text(&row.id).at(row.at).text(&row.actor).text(&row.action).text(&row.object).text(detail).link(link);
}

/// A transaction of the ledger, at the instant of its batch.
pub(crate) fn transaction<P: Put>(c: &mut P, at: Ts, row: &Placed<'_>) {
    c.int(row.seq).at(at).text(&row.posting.rule).text(&row.posting.reference).link(&row.link);
}

/// A line of the ledger: sequence, line and entry.
pub(crate) fn entry<P: Put>(c: &mut P, (seq, line, entry): (i64, i64, &Entry)) {
    c.int(seq).int(line).text(&entry.account).text(&entry.unit).int(entry.amount);
}

pub(crate) fn balance<P: Put>(c: &mut P, ((account, unit), delta): ((&str, &str), i64)) {
    c.text(account).text(unit).int(delta);
}

pub(crate) fn counter<P: Put>(c: &mut P, (key, delta): (&str, i64)) {
    c.text(key).int(delta);
}
