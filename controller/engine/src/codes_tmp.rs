pub(crate) fn generate(
    rule: &fanfare_core::model::reward::CodeRule,
    random: &mut dyn fanfare_core::random::Random,
) -> fanfare_core::ids::Code {
    format!("{}{}", rule.prefix, random.bits()).into()
}
