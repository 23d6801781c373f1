//! Members, lists, credentials, segments.

use crate::support::{Shop, id, mail_channel, name, segment};
use fanfare_core::{
    model::segment::{Behavior, Condition, Scalar, Test, Window},
    time::Span,
};
use fanfare_engine::{
    credentials::{CreateCredential, RevokeCredential, StartSession, Unrefreshed},
    ingest::{Incoming, Sender},
    lists::{AddToList, PutList, RemoveFromList},
    members::{Handle, ImportMembers, PatchMe, Profile, ResolveMember, SetConsent, Unsaved, UpsertMember},
};
use fanfare_store::rows::Consent;
use serde_json::{Value, json};

fn upsert(who: &str, attributes: Value, identities: &[(&str, &str)]) -> UpsertMember {
    let attributes = attributes.as_object().cloned();
    let identities = Some(identities.iter().map(|(kind, value)| ((*kind).into(), (*value).into())).collect());
    UpsertMember { id: id(who), profile: Profile { attributes, identities, ..Profile::default() } }
}

#[tokio::test]
async fn an_attribute_is_what_the_runtime_declares() {
    let shop = Shop::open("2026-11-01T00:00:00Z").await;
    for (attributes, pointer, hint) in [
        (json!({"teir": "gold"}), "/attributes/teir", "\"tier\""),
        (json!({"tier": "godl"}), "/attributes/tier", "\"gold\""),
        (json!({"birthDate": "13.4.1990"}), "/attributes/birthDate", "1990-04-13"),
        (json!({"visits": "many"}), "/attributes/visits", "number"),
        (json!({"city": 7}), "/attributes/city", "text"),
        (json!({"home": {"lat": 91, "lng": 0}}), "/attributes/home", "13.74"),
        (json!({"home": {"lat": 13.74}}), "/attributes/home", "13.74"),
        (json!({"home": "Siam"}), "/attributes/home", "13.74"),
    ] {
        let Err(Unsaved::Invalid(faults)) = shop.run(upsert("m1", attributes, &[])).await else { panic!("was saved") };
        assert_eq!(faults[0].pointer, pointer);
        assert!(faults[0].remedy.contains(hint), "{faults:?}");
    }
    assert!(shop.engine.member(&id("m1")).await.unwrap().is_none(), "a wrong input creates nobody");
    let fine = json!({"tier": "gold", "birthDate": "1990-04-13", "visits": 2.5, "city": "Bangkok"});
    let saved = shop.run(upsert("m1", fine, &[])).await.unwrap();
    assert!(saved.is_new);
    assert!(!shop.run(upsert("m1", json!({"city": "Nan"}), &[])).await.unwrap().is_new);
    shop.verify().await;
}

#[tokio::test]
async fn control_characters_are_refused_where_a_database_would_cut_the_text() {
    let shop = Shop::open("2026-11-01T00:00:00Z").await;
    let tagged = Profile { tags: Some(["a\0b".to_owned()].into()), ..Profile::default() };
    let agreed = Consent { channels: [("a\0".to_owned(), true)].into(), ..Consent::default() };
    let agreed = Profile { consent: Some(agreed), ..Profile::default() };
    for (wrong, pointer) in [
        (upsert("m1", json!({}), &[("card", "a\0b")]), "/identities/0/value"),
        (upsert("m1", json!({"city": "a\0b"}), &[]), "/attributes/city"),
        (upsert("a\0b", json!({}), &[]), "/id"),
        (UpsertMember { id: id("m1"), profile: tagged }, "/tags/0"),
        (UpsertMember { id: id("m1"), profile: agreed }, "/consent/channels"),
    ] {
        let rows = vec![wrong, upsert("m2", json!({}), &[])];
        let outcomes = shop.run(ImportMembers { members: rows }).await;
        let Err(Unsaved::Invalid(faults)) = &outcomes[0] else { panic!("{pointer} was saved") };
        assert_eq!(faults[0].pointer, pointer);
        assert!(outcomes[1].is_ok(), "the row beside it is taken");
    }
    shop.verify().await;
}

#[tokio::test]
async fn a_command_that_cannot_be_written_does_not_take_its_batch_with_it() {
    let shop = Shop::open("2026-11-01T00:00:00Z").await;
    let poison = || AddToList { list: name("vips"), members: vec![id("a\0b")], actor: "test".into() };
    let (bad, first, second) = tokio::join!(
        shop.engine.execute(poison()),
        shop.engine.execute(upsert("m1", json!({}), &[("card", "1")])),
        shop.engine.execute(upsert("m2", json!({}), &[("card", "2")])),
    );
    assert!(bad.is_err(), "{bad:?}");
    for saved in [first, second] {
        assert!(saved.unwrap().0.unwrap().unwrap().is_new);
    }
    assert!(shop.engine.member(&id("m2")).await.unwrap().is_some());
    shop.verify().await;
}

#[tokio::test]
async fn of_several_commands_of_one_call_each_is_decided_on_its_own_and_in_their_order() {
    let shop = Shop::open("2026-11-01T00:00:00Z").await;
    let add = |members: &[&str]| AddToList {
        list: name("vips"),
        members: members.iter().map(|member| id(member)).collect(),
        actor: "test".into(),
    };
    let all: Vec<_> = (0..300).map(|number| upsert(&format!("m{number}"), json!({}), &[])).collect();
    let saved = shop.engine.execute_all(all).await.unwrap();
    let ids: Vec<String> = saved.into_iter().map(|(one, _)| one.unwrap().unwrap().member.account.to_string()).collect();
    let distinct: std::collections::BTreeSet<&String> = ids.iter().collect();
    assert_eq!(distinct.len(), 300, "each command has its own chance");

    // What cannot be written stops its call; what stood before it is there, and the batch of others is not touched.
    let (bad, good) = tokio::join!(
        shop.engine.execute_all(vec![add(&["m1"]), add(&["a\0b"]), add(&["m2"])]),
        shop.engine.execute_all(vec![upsert("n1", json!({}), &[]), upsert("n2", json!({}), &[])]),
    );
    assert!(bad.is_err(), "{bad:?}");
    assert_eq!(good.unwrap().len(), 2);
    let listed = |member: &str| shop.engine.audience().with(&id(member), |record| record.lists.contains(&name("vips")));
    assert_eq!([listed("m1"), listed("m2")], [true, false]);
    shop.verify().await;
}

#[tokio::test]
async fn an_identity_belongs_to_one_member() {
    let shop = Shop::open("2026-11-01T00:00:00Z").await;
    shop.run(upsert("m1", json!({}), &[("phone", "+66 81-234 5678")])).await.unwrap();
    let taken = shop.run(upsert("m2", json!({}), &[("phone", "+66812345678")])).await;
    assert!(matches!(taken, Err(Unsaved::Conflict(_))), "{taken:?}");
    let found = shop.run(ResolveMember(Handle::Phone("+66 812345678".into()))).await;
    assert_eq!(found.unwrap().id, id("m1"));
    // Given up by one, it can be taken by another, also within one batch.
    let rows = vec![upsert("m1", json!({}), &[]), upsert("m2", json!({}), &[("phone", "+66812345678")])];
    let outcomes = shop.run(ImportMembers { members: rows }).await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    let found = shop.run(ResolveMember(Handle::Phone("+66812345678".into()))).await;
    assert_eq!(found.unwrap().id, id("m2"));
    shop.verify().await;
}

#[tokio::test]
async fn an_import_takes_the_right_rows_and_tells_the_wrong_ones() {
    let shop = Shop::open("2026-11-01T00:00:00Z").await;
    let mut members: Vec<_> =
        (0..1_000).map(|n| upsert(&format!("m{n}"), json!({"tier": "gold"}), &[("card", &format!("c{n}"))])).collect();
    members[500] = upsert("m500", json!({"tier": "wood"}), &[]);
    let outcomes = shop.run(ImportMembers { members }).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_err()).count(), 1);
    assert!(outcomes[500].is_err());
    assert_eq!(shop.engine.audience().read().len(), 999);
    shop.verify().await;
}

#[tokio::test]
async fn a_member_tells_of_itself_but_not_its_tier() {
    let shop = Shop::open("2026-11-01T00:00:00Z").await;
    let patch = |attributes: Value| PatchMe { member: id("m1"), attributes: attributes.as_object().cloned().unwrap() };
    assert!(shop.run(patch(json!({"tier": "gold"}))).await.is_err());
    let member = shop.run(patch(json!({"city": "Nan"}))).await.unwrap();
    assert_eq!(member.attributes["city"], Scalar::Text("Nan".into()));
    assert!(shop.run(patch(json!({"city": null}))).await.unwrap().attributes.is_empty());
    shop.verify().await;
}

#[tokio::test]
async fn a_segment_of_one_member_equals_the_scan_of_all() {
    let shop = Shop::open("2026-11-10T00:00:00Z").await;
    shop.publish(mail_channel()).await;
    let gold = Condition::Attribute { name: "tier".into(), test: Test::In(vec![Scalar::Text("gold".into())]) };
    let spends = Condition::Behavior(Behavior {
        event: "store.visited".into(),
        filter: [("storeId".into(), Test::In(vec![Scalar::Text("bkk-01".into())]))].into(),
        window: Window::within(Span::days(5)),
        least: Some(2),
        ..Behavior::default()
    });
    let listed = Condition::List(name("vips"));
    let condition = Condition::Any(vec![Condition::All(vec![gold, spends]), listed]);
    shop.publish(segment("core", condition.clone())).await;
    for n in 0..40 {
        let tier = if n % 2 == 0 { "gold" } else { "silver" };
        let email = format!("m{n}@example.com");
        let identities: &[(&str, &str)] = if n % 4 == 0 { &[("email", &email)] } else { &[] };
        shop.run(upsert(&format!("m{n}"), json!({"tier": tier}), identities)).await.unwrap();
        let yes = Consent { channels: [("email".into(), true)].into(), ..Consent::default() };
        drop(shop.run(SetConsent { member: id(&format!("m{n}")), consent: yes }).await.unwrap());
        let visits = (0..n % 3).map(|visit| Incoming {
            source: "till".into(),
            id: format!("v-{n}-{visit}"),
            kind: "store.visited".into(),
            subject: Some(id(&format!("m{n}"))),
            time: Some("2026-11-08T00:00:00Z".parse().unwrap()),
            data: json!({"storeId": "bkk-01"}).into(),
        });
        shop.engine.ingest(visits.collect(), &Sender::Shop).await.unwrap();
    }
    let actor = || "test".to_owned();
    shop.run(PutList { list: name("vips"), members: vec![id("m1"), id("m3"), id("m1")], actor: actor() }).await;
    shop.run(AddToList { list: name("vips"), members: vec![id("m5")], actor: actor() }).await;
    shop.run(RemoveFromList { list: name("vips"), member: id("m3"), actor: actor() }).await;

    let check = |shop: &Shop| {
        let size = shop.engine.segment_size(&name("core")).unwrap();
        let belongs = |n: i32| shop.engine.membership(&name("core"), &id(&format!("m{n}"))).unwrap().member;
        let members: Vec<i32> = (0..40).filter(|n| belongs(*n)).collect();
        assert_eq!(size.size, members.len() as i64);
        // Gold (even) and two visits (n % 3 == 2), or on the list.
        let expected: Vec<i32> = (0..40).filter(|n| (n % 2 == 0 && n % 3 == 2) || [1, 5].contains(n)).collect();
        assert_eq!(members, expected);
        let reachable = expected.iter().filter(|n| *n % 4 == 0).count() as i64;
        assert_eq!(size.reachable[&name("email")], reachable);
        let preview = shop.engine.preview(&condition).unwrap();
        assert_eq!(preview.size.size, size.size);
        assert!(preview.sample.iter().all(|(_, why)| why.iter().any(|part| part.holds)));
    };
    check(&shop);
    // Memory is a cache: another engine on the same rows knows the same.
    let shop = shop.reopen().await;
    check(&shop);
    // Members leave a window of time without any event.
    shop.clock.set("2026-11-20T00:00:00Z");
    assert_eq!(shop.engine.segment_size(&name("core")).unwrap().size, 2);
    shop.verify().await;
}

#[tokio::test]
async fn a_refresh_token_is_good_once_and_its_reuse_ends_the_login() {
    let shop = Shop::open("2026-11-01T00:00:00Z").await;
    let at = "2026-11-01T00:00:00Z".parse().unwrap();
    let namespace = shop.engine.namespace().clone();
    let first = shop.run(StartSession { namespace, member: id("m1"), at }).await;
    let second = shop.engine.refresh(&first.refresh_token, at).await.unwrap().unwrap();
    let third = shop.engine.refresh(&second.refresh_token, at).await.unwrap().unwrap();
    assert_eq!(third.member, id("m1"));
    assert_eq!(shop.engine.refresh(&second.refresh_token, at).await.unwrap(), Err(Unrefreshed::Reused));
    assert_eq!(shop.engine.refresh(&third.refresh_token, at).await.unwrap(), Err(Unrefreshed::Unknown));
    assert_eq!(shop.engine.refresh("ffr_0_guess", at).await.unwrap(), Err(Unrefreshed::Unknown));
    shop.verify().await;
}

#[tokio::test]
async fn two_refreshes_at_once_do_not_both_succeed() {
    let shop = Shop::open("2026-11-01T00:00:00Z").await;
    let at = "2026-11-01T00:00:00Z".parse().unwrap();
    let namespace = shop.engine.namespace().clone();
    let first = shop.run(StartSession { namespace, member: id("m1"), at }).await;
    let (one, two) =
        tokio::join!(shop.engine.refresh(&first.refresh_token, at), shop.engine.refresh(&first.refresh_token, at));
    let succeeded = [one.unwrap(), two.unwrap()].iter().filter(|outcome| outcome.is_ok()).count();
    assert_eq!(succeeded, 1);
}

#[tokio::test]
async fn a_credential_is_found_by_its_secret_until_it_is_revoked() {
    let shop = Shop::open("2026-11-01T00:00:00Z").await;
    let at = "2026-11-01T00:00:00Z".parse().unwrap();
    let command = CreateCredential {
        namespace: shop.engine.namespace().clone(),
        store: Some("bkk-01".into()),
        scopes: vec!["redeem".into()],
        label: "till 1".into(),
        expires_at: None,
        actor: "test".into(),
    };
    let made = shop.run(command).await;
    let found = shop.engine.credential(&made.secret, at).await.unwrap().unwrap();
    assert_eq!(found.store, Some("bkk-01".into()));
    assert!(shop.engine.credential("fft_guess", at).await.unwrap().is_none());
    shop.run(RevokeCredential { credential: found, actor: "test".into() }).await;
    assert!(shop.engine.credential(&made.secret, at).await.unwrap().is_none());
}
