use super::*;
use crate::{fixtures::name, model::message::Category};
use serde_json::json;

fn plan(medium: Medium, texts: &[(&str, &str, &str)]) -> TemplatePlan {
    let locale = |(locale, subject, body): &(&str, &str, &str)| {
        ((*locale).to_owned(), Source { subject: (*subject).into(), body: (*body).into() })
    };
    let locales = texts.iter().map(locale).collect();
    TemplatePlan { name: name("t"), category: Category::Marketing, medium, locales }
}

#[test]
fn locales_fall_back_from_long_to_short_to_the_default() {
    for (asked, default, expect) in [
        ("th-TH", "en", vec!["th-TH", "th", "en"]),
        ("zh-Hans-CN", "zh", vec!["zh-Hans-CN", "zh-Hans", "zh"]),
        ("", "th", vec!["th"]),
        ("th", "th-TH", vec!["th", "th-TH"]),
        ("-", "th", vec!["-", "th"]),
    ] {
        assert_eq!(locale_chain(asked, default), expect, "{asked}");
    }
    let plan = plan(Medium::InApp, &[("th", "T", "t"), ("zh-Hans", "Z", "z")]);
    for (asked, expect) in
        [("TH-th", Some("th")), ("zh-hans-SG", Some("zh-Hans")), ("fr", Some("th")), ("", Some("th"))]
    {
        assert_eq!(pick(&plan.locales, asked, "th").map(|found| found.0), expect, "{asked}");
    }
    assert_eq!(render(&plan, "fr", "de", &json!({})), Err(MessageError::NoLocale("fr".into())));
}

#[test]
fn values_are_escaped_in_mail_and_plain_in_the_inbox() {
    let data = json!({"member": {"name": "<b>A & B</b>"}});
    let texts = [("en", "Hi {{member.name}}\r\nBcc: x", "Dear {{member.name}}")];
    let mail = render(&plan(Medium::Email, &texts), "en", "en", &data).unwrap();
    assert_eq!(mail.body, "Dear &lt;b&gt;A &amp; B&lt;/b&gt;");
    assert_eq!(mail.subject, "Hi <b>A & B</b> Bcc: x");
    let inbox = render(&plan(Medium::InApp, &texts), "en", "en", &data).unwrap();
    assert_eq!(inbox.body, "Dear <b>A & B</b>");
}

#[test]
fn an_unknown_name_is_an_error_and_so_is_a_text_without_end() {
    let unknown = plan(Medium::InApp, &[("en", "s", "{{member.nme}}")]);
    let error = render(&unknown, "en", "en", &json!({"member": {"name": "A"}})).unwrap_err();
    assert!(matches!(error, MessageError::Render(_)), "{error}");
    let long = plan(
        Medium::InApp,
        &[("en", "s", "{{#each a}}{{#each ../a}}{{#each ../../a}}xxxxxxxxxx{{/each}}{{/each}}{{/each}}")],
    );
    let many: Vec<u32> = (0..100).collect();
    assert_eq!(render(&long, "en", "en", &json!({"a": many})), Err(MessageError::TooLong));
}

#[test]
fn templates_that_could_run_away_are_refused() {
    let deep = format!("{}x{}", "{{#if a}}".repeat(20), "{{/if}}".repeat(20));
    for (source, fine) in [
        ("Hello {{name}}, {{#if a}}x{{else}}y{{/if}} {{#each b}}{{this}}{{/each}}", true),
        ("{{> other}}", false),
        ("{{#> other}}x{{/other}}", false),
        ("{{#*inline \"x\"}}{{> x}}{{/inline}}{{> x}}", false),
        ("{{#if a}}{{> x}}{{/if}}", false),
        ("{{{raw}}}", false),
        ("{{name", false),
        ("{{#if a}}", false),
        (deep.as_str(), false),
    ] {
        assert_eq!(check_template(source).is_ok(), fine, "{source}: {:?}", check_template(source));
    }
}
