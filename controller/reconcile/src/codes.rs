//! Codes that a Secret declares for a Reward, as its condition: what those who have the Secrets say of it.

use crate::{conditions::Claim, plan::reason};
use fanfare_core::{ids::Name, model::Plan};
use fanfare_engine::{
    Engine,
    declared::{self, Refused, Report, Standing},
};

/// The condition of a Reward whose codes a Secret declares.
pub(crate) const KIND: &str = "CodesImported";

/// What is to be said of a Reward's Secret; nothing where it names none.
///
/// # Errors
/// When the database does not answer.
pub(crate) async fn claim(engine: &Engine, plan: &Plan) -> fanfare_engine::store::Result<Option<Claim>> {
    let Plan::Reward(plan) = plan else { return Ok(None) };
    let Some(secret) = &plan.codes.secret else { return Ok(None) };
    let standing = declared::standing(engine, &plan.name, secret).await?;
    Ok(Some(said(&standing, secret, engine.namespace().as_str())))
}

fn said(standing: &Standing, secret: &Name, namespace: &str) -> Claim {
    let claim = |holds, reason, message| Claim { kind: KIND, holds, reason, message };
    match standing {
        Standing::Awaited => claim(false, reason::WAITING, format!("nobody has read the Secret {secret} yet")),
        Standing::Missing => {
            let message = format!(
                "spec.codes.import.secretRef: the Secret {secret} is not there; create it in the namespace {namespace} with a \
                 code a line under any key, where runtimes run mounted under --secrets"
            );
            claim(false, reason::SECRET_MISSING, message)
        }
        Standing::Read(report) if report.refused > 0 => claim(false, reason::LINES_REFUSED, refused(report, secret)),
        Standing::Read(report) => claim(true, reason::IMPORTED, imported(report, secret)),
    }
}

fn imported(report: &Report, secret: &Name) -> String {
    let declared = format!("{} codes of the Secret {secret} are in the pool", report.declared);
    match report.undeclared {
        0 => declared,
        more => format!("{declared}; {more} of the pool are not in the Secret and stay"),
    }
}

fn refused(report: &Report, secret: &Name) -> String {
    let line = |one: &Refused| match one.line {
        0 => format!("{}: {}", one.key, one.why),
        line => format!("{}:{line}: {}", one.key, one.why),
    };
    let named: Vec<String> = report.first.iter().map(line).collect();
    let more = report.refused.saturating_sub(named.len());
    let rest = if more > 0 { format!("; and {more} more") } else { String::new() };
    format!("{}; {} lines were not taken: {}{rest}", imported(report, secret), report.refused, named.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_was_not_taken_is_named_by_its_key_and_number() {
        let one = Refused { key: "a.csv".into(), line: 7, why: "another reward has this code".into() };
        let mut report = Report::default();
        (report.declared, report.undeclared, report.refused, report.first) = (3, 2, 6, vec![one]);
        let claim = said(&Standing::Read(report.clone()), &"partner".into(), "shop");
        assert_eq!((claim.holds, claim.reason), (false, "LinesRefused"));
        assert_eq!(
            claim.message,
            "3 codes of the Secret partner are in the pool; 2 of the pool are not in the Secret and stay; 6 lines were not \
             taken: a.csv:7: another reward has this code; and 5 more"
        );
        (report.undeclared, report.refused, report.first) = (0, 0, Vec::new());
        let fine = report;
        let claim = said(&Standing::Read(fine), &"partner".into(), "shop");
        assert_eq!((claim.holds, claim.reason), (true, "Imported"));
        assert_eq!(said(&Standing::Missing, &"partner".into(), "shop").reason, "SecretMissing");
        assert!(!said(&Standing::Awaited, &"partner".into(), "shop").holds);
    }
}
