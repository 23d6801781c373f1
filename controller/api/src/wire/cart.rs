//! A cart as a till, a shop's backend or a member sends it.

use super::{CODE_MAX, Faults, TEXT_MAX};
use crate::{
    input::card,
    problem::{self, FieldError, Problem},
};
use fanfare_core::{
    cart::{CODES_MAX, Cart, LINES_MAX, Line},
    codes::normalise,
    model::RuntimePlan,
    money::{AMOUNT_MAX_MINOR, Minor},
    reason::Reason,
};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use utoipa::ToSchema;

/// The most units of one line.
pub(crate) const QUANTITY_MAX: i64 = 1_000_000;

/// What a shopper wants to buy.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct CartBody {
    /// Whose cart; without it, an anonymous one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) member_id: Option<String>,
    /// Where; a till's own store when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) store_id: Option<String>,
    /// Through which channel.
    #[schema(example = "pos")]
    pub(crate) channel: String,
    /// When, where another time than now is meant (RFC 3339 with offset).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) at: Option<String>,
    /// The namespace's currency.
    #[schema(example = "THB")]
    pub(crate) currency: String,
    /// At most 500.
    #[schema(max_items = 500)]
    pub(crate) lines: Vec<LineBody>,
    /// Voucher codes that the shopper handed over, at most 20.
    #[serde(default)]
    #[schema(max_items = 20)]
    pub(crate) codes: Vec<String>,
    /// Flash-sale reservations to use, at most 20.
    #[serde(default)]
    #[schema(max_items = 20)]
    pub(crate) reservations: Vec<String>,
    /// The card that the shopper pays with, for limits per Card: a token or fingerprint of the payment service that is the
    /// same each time, never the card's number. From tills and integrations only; it is kept as a hash and never answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "tok_5f2c9a", max_length = 128)]
    pub(crate) payment_card: Option<String>,
}

/// One line of a cart.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct LineBody {
    /// Unique in the cart.
    pub(crate) id: String,
    /// Which item.
    pub(crate) sku: String,
    /// At least 1; goods by weight are one line with its price.
    #[schema(minimum = 1)]
    pub(crate) quantity: i64,
    /// What one costs.
    #[schema(example = "120.00")]
    pub(crate) unit_price: String,
    /// Its category.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) category: Option<String>,
    /// Its brand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) brand: Option<String>,
    /// What one costs the business, in the same terms as `unitPrice` (tax included where that is), so that discounts leave the
    /// CampaignRuntime's `marginFloor`. From tills and integrations only, and never answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "80.00")]
    pub(crate) cost: Option<String>,
}

/// 422 `currency-mismatch` unless `currency` is the namespace's.
pub(crate) fn same_currency(currency: &str, pointer: &str, runtime: &RuntimePlan) -> Result<(), Problem> {
    let ours = runtime.currency.code();
    if currency == ours {
        return Ok(());
    }
    let detail = format!("amounts of this namespace are in {ours}, not in {currency}");
    let at = FieldError::new(pointer, "it is another currency", format!("send amounts in {ours}"));
    Err(Problem::new(problem::Code::Refused(Reason::CurrencyMismatch), detail).at(at))
}

impl CartBody {
    /// The cart in minor units; its payloads are opened by `App::open_codes`, its card is hidden by `card::hidden`. `at` is where it stands in the body: empty,
    /// or `/cart`.
    pub(crate) fn read(&self, at: &str, runtime: &RuntimePlan) -> Result<Cart, Problem> {
        same_currency(&self.currency, &format!("{at}/currency"), runtime)?;
        let mut faults = Faults::default();
        faults.maybe(format!("{at}/memberId"), self.member_id.as_ref());
        faults.store(format!("{at}/storeId"), self.store_id.as_deref(), runtime);
        faults.text(format!("{at}/channel"), &self.channel);
        for (name, list, max) in [("codes", &self.codes, CODE_MAX), ("reservations", &self.reservations, TEXT_MAX)] {
            if list.len() > CODES_MAX {
                faults.add(format!("{at}/{name}"), "there are too many", format!("at most {CODES_MAX}"));
            }
            for (index, text) in list.iter().enumerate().take(CODES_MAX) {
                faults.bounded(format!("{at}/{name}/{index}"), text, max);
            }
        }
        card::check(&format!("{at}/paymentCard"), self.payment_card.as_ref(), &mut faults);
        let when = faults.time(format!("{at}/at"), self.at.as_ref());
        let lines = self.lines(at, runtime, &mut faults);
        faults.done()?;
        Ok(Cart {
            member: self.member_id.as_deref().map(Into::into),
            store: self.store_id.as_deref().map(Into::into),
            channel: self.channel.clone(),
            at: when,
            lines,
            codes: self.codes.iter().map(|text| normalise(text)).collect(),
            reservations: self.reservations.iter().map(|id| id.as_str().into()).collect(),
            card: None,
        })
    }

    fn lines(&self, at: &str, runtime: &RuntimePlan, faults: &mut Faults) -> Vec<Line> {
        if self.lines.is_empty() {
            faults.add(format!("{at}/lines"), "there is none", "send at least one line");
        }
        if self.lines.len() > LINES_MAX {
            faults.add(format!("{at}/lines"), "there are too many", format!("at most {LINES_MAX} lines in one cart"));
            return Vec::new();
        }
        let mut ids = HashSet::new();
        let mut lines = Vec::with_capacity(self.lines.len());
        let mut total = 0_i128;
        for (index, body) in self.lines.iter().enumerate() {
            let at = format!("{at}/lines/{index}");
            if !ids.insert(body.id.as_str()) {
                faults.add(
                    format!("{at}/id"),
                    format!("{:?} stands twice", body.id),
                    "give each line an id of its own",
                );
            }
            if let Some(line) = body.read(&at, runtime, faults) {
                total += i128::from(line.unit_price.0) * i128::from(line.quantity);
                lines.push(line);
            }
        }
        if total > i128::from(AMOUNT_MAX_MINOR) {
            let most = runtime.currency.format(Minor(AMOUNT_MAX_MINOR));
            faults.add(format!("{at}/lines"), "the cart's total is too large", format!("at most {most}"));
        }
        lines
    }
}

impl LineBody {
    fn read(&self, at: &str, runtime: &RuntimePlan, faults: &mut Faults) -> Option<Line> {
        faults.text(format!("{at}/id"), &self.id);
        faults.text(format!("{at}/sku"), &self.sku);
        faults.maybe(format!("{at}/category"), self.category.as_ref());
        faults.maybe(format!("{at}/brand"), self.brand.as_ref());
        let remedy = "a whole number from 1; a return has its own call";
        quantity_or(self.quantity, &format!("{at}/quantity"), remedy, faults);
        let cost = self.cost.as_ref().and_then(|text| amount(text, &format!("{at}/cost"), runtime, faults));
        let unit_price = amount(&self.unit_price, &format!("{at}/unitPrice"), runtime, faults)?;
        Some(Line {
            id: self.id.clone(),
            sku: self.sku.clone(),
            quantity: self.quantity,
            unit_price,
            category: self.category.clone(),
            brand: self.brand.clone(),
            cost,
        })
    }
}

/// Checks a number of units.
pub(crate) fn quantity(quantity: i64, pointer: &str, faults: &mut Faults) {
    quantity_or(quantity, pointer, "a whole number from 1", faults);
}

/// The same with what to do about one below 1.
fn quantity_or(quantity: i64, pointer: &str, remedy: &str, faults: &mut Faults) {
    if quantity < 1 {
        faults.add(pointer, format!("{quantity} is no quantity"), remedy);
    } else if quantity > QUANTITY_MAX {
        faults.add(pointer, "it is too large", format!("at most {QUANTITY_MAX}"));
    }
}

/// Reads an amount of the namespace's currency.
pub(crate) fn amount(text: &str, pointer: &str, runtime: &RuntimePlan, faults: &mut Faults) -> Option<Minor> {
    match runtime.currency.amount(text) {
        Ok(minor) => Some(minor),
        Err(error) => {
            let places = runtime.currency.exponent() as usize;
            let example = if places == 0 { "120".to_owned() } else { format!("120.{}", "0".repeat(places)) };
            faults.add(pointer, error.to_string(), format!("a decimal string such as {example:?}"));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{input::json, wire::tests::runtime};

    fn check(body: &str, code: &str, pointers: &[&str]) {
        let runtime = runtime();
        let problem = json::parse::<CartBody>(body.as_bytes()).and_then(|cart| cart.read("", &runtime)).unwrap_err();
        assert_eq!(problem.code.as_str(), code, "{problem:?}");
        let found: Vec<&str> = problem.errors.iter().map(|error| error.pointer.as_str()).collect();
        assert_eq!(found, pointers, "{body}");
    }

    fn with_line(line: &str) -> String {
        format!(r#"{{"channel":"pos","currency":"THB","lines":[{line}]}}"#)
    }

    #[test]
    fn a_wrong_cart_is_answered_field_by_field() {
        let good = r#"{"id":"1","sku":"A","quantity":1,"unitPrice":"10.00"}"#;
        check(&with_line(""), "invalid", &["/lines"]);
        check(&with_line(&format!("{good},{good}")), "invalid", &["/lines/1/id"]);
        check(&with_line(&good.replace(":1,", ":0,")), "invalid", &["/lines/0/quantity"]);
        check(&with_line(&good.replace(":1,", ":-3,")), "invalid", &["/lines/0/quantity"]);
        check(&with_line(&good.replace(":1,", ":1.5,")), "invalid", &["/lines/0/quantity"]);
        check(&with_line(&good.replace("10.00", "-10.00")), "invalid", &["/lines/0/unitPrice"]);
        check(&with_line(&good.replace("10.00", "10.001")), "invalid", &["/lines/0/unitPrice"]);
        check(&with_line(&good.replace("\"10.00\"", "10")), "invalid", &["/lines/0/unitPrice"]);
        check(&with_line(&good.replace("\"10.00\"", "\"10.00\",\"cost\":\"4.001\"")), "invalid", &["/lines/0/cost"]);
        check(&with_line(&good.replace("\"A\"", "\"\"")), "invalid", &["/lines/0/sku"]);
        check(&with_line(good).replace("THB", "USD"), "currency-mismatch", &["/currency"]);
        check(&with_line(good).replace("\"pos\"", "\"\""), "invalid", &["/channel"]);
        check(&with_line(good).replace("}]", "}],\"at\":\"tomorrow\""), "invalid", &["/at"]);
        check(&with_line(good).replace("}]", "}],\"coupon\":\"X\""), "invalid", &["/coupon"]);
        let huge = with_line(&good.replace(":1,", ":1000000,").replace("10.00", "9999999.00"));
        check(&huge, "invalid", &["/lines"]);
        let many: Vec<String> = (0..=LINES_MAX).map(|n| good.replace("\"1\"", &format!("\"{n}\""))).collect();
        check(&with_line(&many.join(",")), "invalid", &["/lines"]);
        for card in ["4111 1111 1111 1111", "a card", ""] {
            let with_card = with_line(good).replace("}]", &format!("}}],\"paymentCard\":\"{card}\""));
            check(&with_card, "invalid", &["/paymentCard"]);
        }
        let codes = vec!["\"A\""; CODES_MAX + 1].join(",");
        check(&with_line(good).replace("}]", &format!("}}],\"codes\":[{codes}]")), "invalid", &["/codes"]);
    }

    #[test]
    fn a_quantity_outside_of_a_cart_is_not_told_of_returns() {
        let mut faults = Faults::default();
        quantity(0, "/lines/0/quantity", &mut faults);
        assert_eq!(faults.done().unwrap_err().errors[0].remedy, "a whole number from 1");
    }

    #[test]
    fn a_cart_becomes_minor_units_and_normal_codes() {
        let body = r#"{"memberId":"m1","channel":"pos","currency":"THB","codes":["ab-co 1"],"at":"2026-11-11T00:00:00+07:00",
            "lines":[{"id":"1","sku":"A","quantity":3,"unitPrice":"10.5"}]}"#;
        let cart = json::parse::<CartBody>(body.as_bytes()).unwrap().read("", &runtime()).unwrap();
        assert_eq!(cart.lines[0].total(), Minor(3_150));
        assert_eq!(cart.codes[0].as_str(), "ABC01");
        assert_eq!(cart.at.unwrap().to_rfc3339(), "2026-11-10T17:00:00+00:00");
    }
}
