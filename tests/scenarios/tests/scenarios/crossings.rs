//! Who comes into a Segment is told, by an event at once, and by time alone also where nothing ran meanwhile.

use crate::MIDDAY;
use anyhow::{Result, ensure};
use fanfare_scenarios::{
    customers::{cart, line, paid},
    folder::{Scratch, example},
    http::{Caller, items},
    shop::{Shop, Start},
    wait,
};

/// Beside the example's: whoever buys for the first time in a while is thanked.
const THANKS: &str = r#"
apiVersion: fanfare.dev/v1alpha1
kind: Segment
metadata: {name: buyers}
spec:
  title: Who bought this week
  match: {behavior: {event: order.paid, countAtLeast: 1, within: 7d}}
---
apiVersion: fanfare.dev/v1alpha1
kind: Automation
metadata: {name: thanks}
spec:
  trigger: {segment: {name: buyers, change: Enters}}
  steps: [{name: tell, send: {channel: inbox, template: thanks}}]
---
apiVersion: fanfare.dev/v1alpha1
kind: MessageTemplate
metadata: {name: thanks}
spec:
  category: Transactional
  kind: InApp
  locales: {en: {subject: "Welcome to {{event.data.title}}", body: "Thank you."}}
"#;

async fn subjects(member: &Caller) -> Result<Vec<String>> {
    let inbox = member.get("/v1/messages").await?.is(200)?;
    Ok(items(&inbox)?.iter().filter_map(|message| Some(message["subject"].as_str()?.to_owned())).collect())
}

async fn buys(shop: &Shop, name: &str) -> Result<Caller> {
    let member = shop.member(name).await?;
    let basket = cart(name, &[line("1", "MUG-01", 1, "100.00")]);
    shop.till().post("/v1/orders", &paid(&format!("order-{name}"), &basket)).await?.is(201)?;
    Ok(member)
}

#[tokio::test]
async fn who_comes_into_a_segment_is_written_to_once_also_by_time_alone() -> Result<()> {
    let folder = Scratch::copy_of(&example("segments"))?;
    folder.write("thanks.yaml", THANKS)?;
    let mut shop = Shop::open_in(folder, Start::at(MIDDAY)).await?;
    shop.ready().await?;
    // Who is in a Segment before anybody looks does not come in, so somebody new buys until one is told.
    let mut number = 0;
    let (name, _) = wait::until("a buyer to be thanked", wait::STATUS, async || {
        number += 1;
        let name = format!("buyer-{number}");
        let member = buys(&shop, &name).await?;
        wait::until("the message", std::time::Duration::from_secs(5), async || {
            ensure!(subjects(&member).await? == ["Welcome to Who bought this week"]);
            Ok(())
        })
        .await?;
        Ok(name)
    })
    .await?;
    shop.stop().await?;
    // After 91 days the member may be leaving; the message waits until ten o'clock of the day after.
    let told = ["Welcome to Who bought this week", "we miss you"];
    for (clock, messages) in [("2027-02-10T12:00:00+07:00", 1), ("2027-02-12T12:00:00+07:00", 2)] {
        shop.start_again_at(Start::at(clock)).await?;
        shop.resource_until("automation", "win-back", |found| {
            ensure!(found["status"]["entered"].as_i64() >= Some(1), "{}", found["status"]);
            Ok(())
        })
        .await?;
        let member = shop.member(&name).await?;
        wait::until("the messages", wait::SOON, async || {
            let mut found = subjects(&member).await?;
            found.sort();
            let as_told = found.iter().zip(told).all(|(found, told)| found.ends_with(told));
            ensure!(found.len() == messages && as_told, "at {clock}: {found:?}");
            Ok(())
        })
        .await?;
        shop.stop().await?;
    }
    shop.start_again().await?;
    ensure!(subjects(&shop.member(&name).await?).await?.len() == told.len(), "once each");
    shop.close().await
}
