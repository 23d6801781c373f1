//! Codes that a Secret declares for a reward: what is new comes, what is gone stays, a wrong line is told.

use crate::support::{Shop, voucher};
use fanfare_core::{
    ids::Name,
    model::{
        Plan, RewardPlan,
        reward::{CodeRule, CodeSource},
    },
};
use fanfare_engine::{
    declared::{self, Lists, Report, Standing},
    pool::{self, ImportCodes},
};
use std::{collections::BTreeMap, sync::Arc};

type Held = Option<&'static [(&'static str, &'static str)]>;

fn holding(held: Held) -> Lists {
    Arc::new(move |_| {
        let bytes = |(key, text): &(&str, &str)| ((*key).to_owned(), text.as_bytes().to_vec());
        let found = held.map(|lists| lists.iter().map(bytes).collect::<BTreeMap<_, _>>());
        Box::pin(async move { found })
    })
}

async fn shop() -> Shop {
    let shop = Shop::open().await;
    for name in ["partner", "other"] {
        let codes =
            CodeRule { source: CodeSource::Imported, secret: Some("partner-codes".into()), ..CodeRule::default() };
        shop.publish(Plan::Reward(RewardPlan { codes, ..voucher(name, 1_000, 0) })).await;
    }
    shop
}

/// One process that has the Secrets.
#[derive(Default)]
struct Process(BTreeMap<Name, String>);

impl Process {
    /// Looks at the Secret of "partner"; answers what is said of it then.
    async fn sees(&mut self, shop: &Shop, held: Held) -> Standing {
        let (reward, secret) = (Name::from("partner"), Name::from("partner-codes"));
        declared::look(&shop.engine, (&reward, &secret), &holding(held), &mut self.0).await.unwrap();
        declared::standing(&shop.engine, &reward, &secret).await.unwrap()
    }
}

fn read(standing: Standing) -> Report {
    let Standing::Read(report) = standing else { panic!("{standing:?}") };
    report
}

async fn level(shop: &Shop) -> (i64, i64) {
    pool::level(&shop.engine, &"partner".into()).await.unwrap()
}

#[tokio::test]
async fn codes_that_come_to_a_secret_are_added_and_those_that_go_stay() {
    let shop = shop().await;
    let (reward, secret) = (Name::from("partner"), Name::from("partner-codes"));
    assert_eq!(declared::standing(&shop.engine, &reward, &secret).await.unwrap(), Standing::Awaited);
    let mut process = Process::default();
    assert_eq!(process.sees(&shop, None).await, Standing::Missing);
    let first = read(process.sees(&shop, Some(&[("a.csv", "code\nPART-0001\nPART-0002\n")])).await);
    assert_eq!((first.declared, first.undeclared, first.refused), (2, 0, 0));
    assert_eq!(level(&shop).await, (2, 0));
    let given = shop.voucher("m1", "partner", None).await;
    assert_eq!(given.code.unwrap().as_str(), "PART0001");

    let changed: Held = Some(&[("a.csv", "PART-0002\nPART-0003\n"), ("b.csv", "PART-0004\n")]);
    let second = read(process.sees(&shop, changed).await);
    assert_eq!((second.declared, second.undeclared, second.refused), (3, 1, 0));
    assert_eq!(level(&shop).await, (4, 1), "what was taken out is still there");
    // The same again, by this process and by one that starts, imports nothing.
    let seq = shop.engine.position();
    assert_eq!(read(process.sees(&shop, changed).await), second);
    assert_eq!(read(Process::default().sees(&shop, changed).await), second);
    assert_eq!(shop.engine.position(), seq, "nothing was decided");
    shop.verify().await;
}

#[tokio::test]
async fn a_wrong_line_is_told_by_key_and_number_and_the_rest_is_taken() {
    let shop = shop().await;
    let elsewhere = ImportCodes { reward: "other".into(), codes: vec!["PART-0009".into()] };
    shop.run(elsewhere).await.unwrap();
    let held: Held = Some(&[("a.csv", "PART-0001\nabc\nPART-0009\npart 0001\nPART-0002\n")]);
    let report = read(Process::default().sees(&shop, held).await);
    assert_eq!((report.declared, report.refused, level(&shop).await), (2, 3, (2, 0)));
    let told: Vec<_> = report.first.iter().map(|one| (one.line, one.why.as_str())).collect();
    let expect = [
        (2, "it is no code of 6 to 63 letters and digits"),
        (3, "another reward has this code"),
        (4, "line 1 of a.csv has the same code"),
    ];
    assert_eq!(told, expect);
    assert!(!format!("{report:?}").contains("PART"), "a report holds no code");
    shop.verify().await;
}

#[tokio::test]
async fn a_process_whose_secret_is_older_does_not_undo_what_another_read() {
    let shop = shop().await;
    let (mut first, mut second) = (Process::default(), Process::default());
    let (old, new): (Held, Held) = (Some(&[("a", "PART-0001")]), Some(&[("a", "PART-0001\nPART-0002")]));
    first.sees(&shop, old).await;
    second.sees(&shop, old).await;
    let report = read(first.sees(&shop, new).await);
    assert_eq!(read(second.sees(&shop, old).await), report, "it has said what it has to say");
    assert_eq!(read(second.sees(&shop, new).await), report);
    // One that has no Secret at all does not say that it is missing while another has it.
    assert_eq!(read(Process::default().sees(&shop, None).await), report);
    shop.verify().await;
}
