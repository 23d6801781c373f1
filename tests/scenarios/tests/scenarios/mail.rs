//! An e-mail leaves through a real SMTP server, once.

use crate::MIDDAY;
use anyhow::{Result, ensure};
use fanfare_scenarios::{
    folder::{Scratch, fixture},
    mail::MailServer,
    shop::{Shop, Start},
};
use serde_json::json;

fn mailing(port: u16) -> String {
    format!(
        r#"apiVersion: fanfare.dev/v1alpha1
kind: MessageChannel
metadata: {{name: email}}
spec:
  smtp: {{host: 127.0.0.1, port: {port}, security: None, from: "Shop <shop@example.test>"}}
  unitCost: {{amount: "0.35"}}
---
apiVersion: fanfare.dev/v1alpha1
kind: MessageTemplate
metadata: {{name: thanks}}
spec:
  category: Transactional
  kind: Email
  locales:
    en: {{subject: "Thank you, {{{{member.name}}}}", body: "We are glad that you came."}}
---
apiVersion: fanfare.dev/v1alpha1
kind: Automation
metadata: {{name: thank-you}}
spec:
  trigger: {{event: store.visited}}
  reentry: {{policy: Once}}
  steps:
    - {{name: mail, send: {{channel: email, template: thanks, onAmbiguous: Skip}}}}
"#
    )
}

#[tokio::test]
async fn an_automations_mail_reaches_a_real_smtp_server_once() -> Result<()> {
    let server = MailServer::start().await?;
    let folder = Scratch::copy_of(&fixture("shop"))?;
    folder.write("mailing.yaml", &mailing(server.port))?;
    let mut shop = Shop::open_in(folder, Start::at(MIDDAY)).await?;
    shop.ready().await?;
    for (member, address) in [("ann", "ann@example.test"), ("ben", "nobody@example.test")] {
        let body = json!({"attributes": {"name": "Ann"}, "consent": {"channels": {"email": true}},
            "identities": [{"type": "email", "value": address}]});
        let put = shop.backend().put(&format!("/v1/members/{member}"), &body).await?;
        ensure!(put.status < 300, "{put:?}");
        shop.event("store.visited", &format!("visit-{member}"), member, json!({"storeId": "bkk-01"})).await?;
    }
    let mails = server.mails_to("ann@example.test", 1).await?;
    ensure!(mails[0].from == "shop@example.test", "{mails:?}");
    ensure!(mails[0].text.contains("Thank you, Ann") && mails[0].text.contains("glad that you came"), "{mails:?}");
    shop.resource_until("messagechannel", "email", |found| {
        let status = &found["status"];
        ensure!(status["sent"] == 1 && status["failed"] == 1);
        Ok(())
    })
    .await?;
    shop.kill()?;
    shop.start_again().await?;
    shop.ready().await?;
    // The outbox after a restart, and another visit, send nothing anew.
    shop.event("store.visited", "visit-again", "ann", json!({"storeId": "bkk-01"})).await?;
    shop.resource_until("automation", "thank-you", |found| {
        ensure!(found["status"]["entered"] == 2);
        Ok(())
    })
    .await?;
    server.mails_to("ann@example.test", 1).await?;
    shop.close().await
}
