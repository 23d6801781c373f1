//! The currency of a namespace is fixed once its ledger has entries, whichever CampaignRuntime names it: deleting one and
//! making another must not turn baht into yen.

use fanfare_core::{ids::Namespace, model::RuntimePlan};
use fanfare_engine::{
    publish::currency_setting,
    store::{Error, Store},
};

/// What the ledger's currency is, once it has entries.
///
/// # Errors
/// When the database does not answer.
pub async fn of_ledger(store: &dyn Store, ns: &Namespace) -> Result<Option<String>, Error> {
    if store.position(ns).await?.0 == 0 {
        return Ok(None);
    }
    let kept = store.setting(&currency_setting(ns)).await?;
    Ok(kept.and_then(|bytes| String::from_utf8(bytes).ok()))
}

/// Why this Runtime cannot be served, where the ledger counts in another currency: (field, reason, remedy).
pub fn clash(ledger: Option<&str>, plan: &RuntimePlan) -> Option<(&'static str, &'static str, String)> {
    let code = ledger.filter(|code| *code != plan.currency.code())?;
    Some((
        "spec.currency",
        "money has moved in this namespace",
        format!("leave it at {code}, or use another namespace"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use fanfare_crds::admit::{self, Door};
    use serde_json::json;

    #[test]
    fn a_runtime_of_another_currency_than_the_ledger_s_is_a_clash() {
        let runtime = |currency: &str| {
            let raw = json!({
                "apiVersion": "fanfare.dev/v1alpha1", "kind": "CampaignRuntime", "metadata": {"name": "shop"},
                "spec": {"timeZone": "Asia/Bangkok", "currency": currency, "locales": {"default": "en"}},
            });
            match admit::admit_one(&raw, &Door::alone(chrono::DateTime::UNIX_EPOCH)).unwrap().plan {
                fanfare_core::model::Plan::CampaignRuntime(plan) => plan,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(clash(None, &runtime("JPY")), None);
        assert_eq!(clash(Some("THB"), &runtime("THB")), None);
        let (field, _, remedy) = clash(Some("THB"), &runtime("JPY")).unwrap();
        assert_eq!((field, remedy.as_str()), ("spec.currency", "leave it at THB, or use another namespace"));
    }
}
