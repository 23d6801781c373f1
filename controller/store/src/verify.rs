//! What must always hold of the rows themselves, whatever database keeps them: what each check finds, and the arithmetic of
//! the chains. How the rows are read is each database's.

use crate::{
    Result,
    chain::{self, Link},
    decode::{self, Cursor, Source},
};
use fanfare_core::{ledger::Entry, time::Ts};

/// The most findings of one check; a broken invariant shows in its first cases.
pub(crate) const FINDINGS_MAX: usize = 20;

/// What the checks that are one query each find. Each database has a query for each, in this order; its rows are texts that
/// name what was found.
pub(crate) const FINDINGS: [&str; 16] = [
    "a transaction of the ledger does not sum to zero (sequence, unit, sum)",
    "an entry of the ledger has no transaction (sequence)",
    "a balance is not the sum of its entries (account, unit, balance, sum)",
    "more was issued, or is set aside or spent, than can be (account, unit, balance)",
    "a use of a voucher has more than one live redemption (grant)",
    "a voucher has more live redemptions than uses (grant)",
    "what a gift card says is on it is not what the ledger says (grant)",
    "a redemption is not marked as live as its state says (redemption)",
    "a redemption is of no voucher (redemption)",
    "a grant has fewer than no uses left, or a code that another has (grant)",
    "an event was accepted twice (source, id)",
    "a message was made twice (cause)",
    "a counter of issued rewards is not the number of their grants (reward, counter, grants)",
    "an identity of a member is not found under its value, or finds another (member)",
    "a day, store or member of a budget gave back more than it took (counter, value)",
    "a till's day is not the sum of its orders and returns (figure, kept, sum)",
];

/// A transaction as it stands in the ledger, while its entries are read.
struct Open {
    seq: i64,
    at: Ts,
    rule: String,
    reference: String,
    link: Link,
    entries: Vec<Entry>,
}

/// The ledger's chain, recomputed from its first transaction.
pub(crate) struct LedgerChain {
    last: (i64, Link),
    open: Option<Open>,
    first_broken: Option<i64>,
    findings: Vec<String>,
}

impl Default for LedgerChain {
    fn default() -> Self {
        Self { last: (0, chain::START), open: None, first_broken: None, findings: Vec::new() }
    }
}

impl LedgerChain {
    /// The next line of the ledger: sequence, instant, rule, reference and link of its transaction; account, unit and amount,
    /// NULL where a transaction has no entry.
    pub(crate) fn line<R: Source>(&mut self, row: &R) -> Result<()> {
        let mut c = Cursor::new(row);
        let at_seq = c.int()?;
        if self.open.as_ref().is_none_or(|open| open.seq != at_seq) {
            self.close();
            let (at, rule, reference, link) = (c.at()?, c.text()?, c.text()?, c.link()?);
            self.open = Some(Open { seq: at_seq, at, rule, reference, link, entries: Vec::new() });
        } else {
            c.skip(4);
        }
        let (account, unit, amount) = (c.opt_text::<String>()?, c.opt_text::<String>()?, c.opt_int()?);
        if let (Some(open), Some(account), Some(unit), Some(amount)) = (self.open.as_mut(), account, unit, amount) {
            open.entries.push(Entry { account, unit, amount });
        }
        Ok(())
    }

    /// Compares a transaction's link with what it has to be, and goes on from the link that is stored.
    fn close(&mut self) {
        let Some(Open { seq, at, rule, reference, link, entries }) = self.open.take() else { return };
        let due = chain::transaction(&self.last.1, seq, at, &rule, &reference, &entries);
        if due != link && self.findings.len() < FINDINGS_MAX {
            let before = match self.last.0 {
                0 => "it is the first".to_owned(),
                before if self.first_broken.is_none() => {
                    format!("everything up to transaction {before} is as it was written")
                }
                before => format!("the one before it is {before}"),
            };
            self.findings.push(format!(
                "the ledger's chain is broken at transaction {seq} ({rule} of {reference}): it, or what stood right before \
                 it, was changed after it was written; {before}"
            ));
            self.first_broken.get_or_insert(seq);
        }
        self.last = (seq, link);
    }

    /// What was found, once every line was read, and the first transaction that is not as it was written; the lane says
    /// that the chain ends at `end` and not behind `seq`.
    pub(crate) fn end(mut self, seq: i64, end: Link) -> (Vec<String>, Option<i64>) {
        self.close();
        let Self { last, open: _, first_broken, mut findings } = self;
        if last.1 != end {
            findings.push(format!("the ledger does not end where the lane says: its last transaction is {}", last.0));
        }
        if last.0 > seq {
            findings.push(format!("the ledger goes on beyond the lane's sequence {seq}, to {}", last.0));
        }
        (findings, first_broken)
    }
}

/// The audit trail's chain, recomputed from its first row.
pub(crate) struct AuditChain {
    last: Link,
    findings: Vec<String>,
}

impl Default for AuditChain {
    fn default() -> Self {
        Self { last: chain::START, findings: Vec::new() }
    }
}

impl AuditChain {
    /// The next row of the trail: the columns of the audit trail, then the detail as it is stored, and the link.
    pub(crate) fn row<R: Source>(&mut self, row: &R) -> Result<()> {
        let audit = decode::audit(row)?;
        let mut c = Cursor::new(row);
        c.skip(6);
        let (detail, link) = (c.str()?, c.link()?);
        if chain::audit(&self.last, &audit, detail) != link && self.findings.len() < FINDINGS_MAX {
            self.findings.push(format!("the audit trail's chain is broken at {}", audit.id));
        }
        self.last = link;
        Ok(())
    }

    /// What was found, once every row was read; the lane says that the chain ends at `end`.
    pub(crate) fn end(mut self, end: Link) -> Vec<String> {
        if self.last != end {
            self.findings.push("the audit trail does not end where the lane says".into());
        }
        self.findings
    }
}
