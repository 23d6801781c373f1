//! The sums: what the tills were told, added up, against budget, vouchers, points and figures of the product.

use crate::{
    check::Seen,
    record::{Request, Who, Wire},
    till::{Session, Till, state},
};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    time::{Duration, Instant},
};

/// How long figures may take to follow: they are written at most once in 15 s.
const CONVERGED_MAX: Duration = Duration::from_secs(60);
/// How often it is looked.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// The limits that the author writes, in baht.
pub const LIMITS: [i64; 3] = [60_000, 120_000, 250_000];

/// A decimal text in hundredths.
pub fn cents(value: &Value) -> i64 {
    let text = value.as_str().unwrap_or("0");
    let (whole, part) = text.split_once('.').unwrap_or((text, "00"));
    let sign = if whole.starts_with('-') { -1 } else { 1 };
    whole.parse::<i64>().unwrap_or(0) * 100 + sign * part.parse::<i64>().unwrap_or(0)
}

/// The campaign's text with another budget limit.
pub fn with_limit(text: &str, limit: i64) -> String {
    let line = text.lines().find(|line| line.contains("budget: {limit:")).unwrap_or_default();
    text.replace(line, &format!("  budget: {{limit: \"{limit}\", onExhausted: Stop}}"))
}

/// Writes another budget limit into the campaign, as an author would.
///
/// # Errors
/// When the file cannot be written.
pub fn write_limit(folder: &Path, limit: i64) -> anyhow::Result<()> {
    let path = folder.join("sale.yaml");
    let new = with_limit(&fs::read_to_string(&path)?, limit);
    // Not in place: a file is changed by a rename, so that nobody reads half of it.
    let part = folder.join(".sale.part");
    fs::write(&part, new)?;
    Ok(fs::rename(part, path)?)
}

/// What the record says that the figures have to be.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// What discounts, vouchers and points have cost, in satang.
    pub actual: i64,
    /// What was paid, less refunds.
    pub revenue: i64,
    /// Orders that were paid.
    pub orders: i64,
    /// Members who take part.
    pub participants: i64,
}

/// Adds the record up; notes vouchers that were used twice, and points that nobody earned.
pub async fn sums(tills: &[Till], session: &Session, seen: &mut Seen) -> Sums {
    let mut due = Sums::default();
    let mut vouchers: BTreeMap<String, i64> = BTreeMap::new();
    let live = |view: &Value| i64::from(matches!(state(view), "Reserved" | "Committed" | "PartiallyReversed"));
    let mut use_of =
        |view: &Value| *vouchers.entry(view["grant"].as_str().unwrap_or_default().into()).or_default() += live(view);
    let (mut earned, mut kept_whole) = (BTreeMap::<&str, i64>::new(), BTreeMap::<&str, i64>::new());
    for till in tills {
        for (id, order) in &till.orders {
            let Some(view) = session.get(&Who::Till, &format!("/v1/orders/{id}")).await else { continue };
            view["redemptions"].as_array().into_iter().flatten().for_each(&mut use_of);
            if !matches!(state(&view), "Committed" | "PartiallyReturned" | "Returned") {
                continue;
            }
            let returns = view["returns"].as_array().into_iter().flatten();
            let refunds: i64 = returns.map(|back| cents(&back["refund"])).sum();
            let (total, payable) = (cents(&view["total"]), cents(&view["payable"]));
            due.orders += 1;
            due.revenue += payable - refunds;
            due.actual += (total - order.brought_back()) - (payable - refunds);
            let points = view["earned"].as_array().into_iter().flatten().filter(|one| one["reward"] == "points-10");
            let points: i64 = points.map(|one| one["quantity"].as_i64().unwrap_or(1) * 10).sum();
            let member =
                till.calls.iter().find(|call| call.body["id"] == **id).map(|call| &call.body["cart"]["memberId"]);
            let member = member.and_then(Value::as_str).unwrap_or_default();
            *earned.entry(member).or_default() += points;
            *kept_whole.entry(member).or_default() += if order.brought_back() == 0 { points } else { 0 };
        }
        for id in till.redemptions.keys() {
            let Some(view) = session.get(&Who::Till, &format!("/v1/redemptions/{id}")).await else { continue };
            use_of(&view);
            due.actual += live(&view) * cents(&view["amount"]);
        }
        due.participants += i64::try_from(till.members.len()).unwrap_or(0);
    }
    for (grant, uses) in vouchers {
        if uses > 1 {
            seen.findings.push(format!("voucher {grant} has {uses} live redemptions"));
        }
    }
    for member in tills.iter().flat_map(|till| &till.members) {
        let points = session.get(&Who::Member(member.clone()), "/v1/points").await.unwrap_or_default();
        let balance = points["balance"].as_i64().unwrap_or(-1);
        let (least, most) = (kept_whole.get(member.as_str()).copied(), earned.get(member.as_str()).copied());
        if !(least.unwrap_or(0)..=most.unwrap_or(0)).contains(&balance) {
            seen.findings.push(format!("{member} has {balance} points; the record says {least:?} to {most:?}"));
        }
        // A point is worth 0.10.
        due.actual += balance * 10;
    }
    due
}

/// The status, read from the Kubernetes API, comes to equal the record.
pub async fn figures(kube: &dyn Wire, namespace: &str, due: &Sums, limit: i64, seen: &mut Seen) {
    let path = format!("/apis/fanfare.dev/v1alpha1/namespaces/{namespace}/campaigns/sale");
    let began = Instant::now();
    loop {
        let answer = kube.send(Request::get(&path, "")).await.filter(|answer| answer.status == 200);
        let Some(campaign) = answer.map(|answer| answer.json()) else {
            seen.findings.push(format!("{path} is not answered"));
            return;
        };
        let (status, metrics, budget) =
            (&campaign["status"], &campaign["status"]["metrics"], &campaign["status"]["budget"]);
        let found = Sums {
            actual: cents(&budget["actual"]),
            revenue: cents(&metrics["revenue"]),
            orders: metrics["orders"].as_i64().unwrap_or(-1),
            participants: metrics["participants"].as_i64().unwrap_or(-1),
        };
        let conditions = status["conditions"].as_array().into_iter().flatten();
        let ready = conditions.filter(|one| one["type"] == "Ready" && one["status"] == "True");
        let generation = &campaign["metadata"]["generation"];
        let serves = ready.into_iter().any(|one| one["observedGeneration"] == *generation)
            && status["observedGeneration"] == *generation
            && cents(&budget["limit"]) == limit * 100;
        let highest = LIMITS.iter().max().copied().unwrap_or(0) * 100;
        if cents(&budget["spent"]) > highest {
            seen.findings.push(format!("more was spent than any limit ever was: {budget}"));
            return;
        }
        if found == *due && serves {
            return;
        }
        if began.elapsed() > CONVERGED_MAX {
            let say =
                format!("the status says {found:?}, the record {due:?}; serves its generation: {serves}; {budget}");
            seen.findings.push(say);
            return;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
