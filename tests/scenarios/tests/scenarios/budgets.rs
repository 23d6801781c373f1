//! A budget that suspends its campaign, and one whose owner is told by e-mail.

use crate::MIDDAY;
use anyhow::{Result, ensure};
use fanfare_scenarios::{
    customers::{cart, line, paid},
    folder::{Scratch, fixture},
    mail::MailServer,
    shop::{Shop, Start},
};
use futures::future::join_all;
use serde_json::{Value, json};

/// The fixture shop with another budget: each mug takes 100 baht of it.
fn with_budget(budget: &str) -> Result<Scratch> {
    let folder = Scratch::copy_of(&fixture("shop"))?;
    folder.edit("sale.yaml", "budget: {limit: \"100000\", onExhausted: Stop}", &format!("budget: {budget}"))?;
    Ok(folder)
}

/// A member buys a mug for 200 baht; answers what was taken off.
async fn buy(shop: &Shop, order: &str) -> Result<Value> {
    let order = paid(order, &cart("ann", &[line("1", "MUG-01", 1, "200.00")]));
    Ok(shop.till().post("/v1/orders", &order).await?.is(201)?["discount"].clone())
}

async fn phase_is(shop: &Shop, phase: &str) -> Result<()> {
    let look = |found: &Value| {
        ensure!(found["status"]["phase"] == phase, "{}", found["status"]);
        Ok(())
    };
    shop.resource_until("campaign", "sale", look).await.map(drop)
}

#[tokio::test]
async fn a_campaign_that_its_budget_suspends_stays_so_across_a_kill_until_it_is_let_go_on() -> Result<()> {
    let mut shop = Shop::open_in(with_budget("{limit: \"300\", onExhausted: Suspend}")?, Start::at(MIDDAY)).await?;
    shop.ready().await?;
    shop.member("ann").await?;
    for order in ["o-1", "o-2", "o-3"] {
        ensure!(buy(&shop, order).await? == "100.00", "{order}");
    }
    ensure!(buy(&shop, "o-4").await? == "0.00", "nothing is left");
    phase_is(&shop, "Paused").await?;
    shop.kill()?;
    shop.start_again().await?;
    shop.ready().await?;
    phase_is(&shop, "Paused").await?;
    // Money that comes back does not lift it; a person does.
    let back = json!({"returnId": "r-1", "lines": [{"id": "1", "quantity": 1}], "reason": "size"});
    shop.till().post("/v1/orders/o-1/returns", &back).await?.is(201)?;
    ensure!(buy(&shop, "o-5").await? == "0.00", "it is still suspended");
    shop.verb(&["resume", "sale"]).await?.code(0)?;
    phase_is(&shop, "Active").await?;
    ensure!(buy(&shop, "o-6").await? == "100.00", "what came back can be given again");
    phase_is(&shop, "Paused").await?;
    // And so does a larger limit.
    shop.folder.edit("sale.yaml", "limit: \"300\"", "limit: \"400\"")?;
    phase_is(&shop, "Active").await?;
    ensure!(buy(&shop, "o-7").await? == "100.00");
    shop.close().await
}

const TELLING: &str = r#"
apiVersion: fanfare.dev/v1alpha1
kind: MessageTemplate
metadata: {name: budget}
spec:
  category: Transactional
  kind: Email
  locales:
    en: {subject: "A budget is half used up", body: "Hello {{member.name}}, look at it."}
---
apiVersion: fanfare.dev/v1alpha1
kind: Automation
metadata: {name: tell-the-owner}
spec:
  trigger: {event: budget.threshold}
  reentry: {policy: Always}
  steps:
    - {name: mail, send: {channel: email, template: budget, onAmbiguous: Skip}}
"#;

#[tokio::test]
async fn a_share_of_the_budget_is_one_event_and_one_mail_to_the_owner_however_many_reach_it_at_once() -> Result<()> {
    let server = MailServer::start().await?;
    let folder = with_budget("{limit: \"1000\", onExhausted: Stop, notifyAt: [\"50%\"]}")?;
    folder.edit("sale.yaml", "  objective: Promotion\n", "  objective: Promotion\n  owner: olga\n")?;
    let channel = format!(
        "apiVersion: fanfare.dev/v1alpha1\nkind: MessageChannel\nmetadata: {{name: email}}\nspec:\n  smtp: {{host: 127.0.0.1, \
         port: {}, security: None, from: \"Shop <shop@example.test>\"}}\n---",
        server.port
    );
    folder.write("telling.yaml", &format!("{channel}{TELLING}"))?;
    let mut shop = Shop::open_in(folder, Start::at(MIDDAY)).await?;
    shop.ready().await?;
    shop.member("ann").await?;
    let owner = json!({"attributes": {"name": "Olga"}, "consent": {"channels": {"email": true}},
        "identities": [{"type": "email", "value": "olga@example.test"}]});
    ensure!(shop.backend().put("/v1/members/olga", &owner).await?.status < 300);
    for order in 0..4 {
        buy(&shop, &format!("o-{order}")).await?;
    }
    let orders: Vec<String> = (4..8).map(|order| format!("o-{order}")).collect();
    for taken in join_all(orders.iter().map(|order| buy(&shop, order))).await {
        ensure!(taken? == "100.00");
    }
    let mails = server.mails_to("olga@example.test", 1).await?;
    ensure!(mails[0].text.contains("A budget is half used up") && mails[0].text.contains("Olga"), "{mails:?}");
    shop.kill()?;
    shop.start_again().await?;
    shop.ready().await?;
    buy(&shop, "o-8").await?;
    let told = async |shop: &Shop, times: i64| {
        let look = |found: &Value| {
            ensure!(found["status"]["entered"] == times, "{}", found["status"]);
            Ok(())
        };
        shop.resource_until("automation", "tell-the-owner", look).await.map(drop)
    };
    told(&shop, 1).await?;
    server.mails_to("olga@example.test", 1).await?;
    // Another limit is another half: 900 of 1,600 is told once more, and only that.
    shop.folder.edit("sale.yaml", "limit: \"1000\"", "limit: \"1600\"")?;
    shop.resource_until("campaign", "sale", |found| {
        ensure!(found["status"]["budget"]["limit"] == "1600.00", "{}", found["status"]);
        Ok(())
    })
    .await?;
    buy(&shop, "o-9").await?;
    told(&shop, 2).await?;
    server.mails_to("olga@example.test", 2).await?;
    shop.close().await
}
