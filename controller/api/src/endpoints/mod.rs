//! One file an endpoint: its request, its answer, its way to the engine and back. No rule is decided here.
//!
//! To add one: a file with a handler under `#[utoipa::path]`, and a line in [`router`]; then `tests/authorisation.golden`
//! shows who may call it.

mod adjustment_decide;
mod adjustments;
mod auth_dev;
mod auth_guest;
mod auth_refresh;
mod campaign_act;
mod campaign_join;
mod campaign_progress;
mod campaigns;
mod carts_evaluate;
mod events;
mod exceptions;
mod grant_claim;
mod grant_code;
mod grant_top_up;
mod grants;
mod jwks;
mod ledger;
mod lists;
mod login;
mod me;
mod me_code;
mod me_consent;
mod members;
mod members_import;
mod members_resolve;
mod messages;
mod operations;
mod order_answer;
mod order_commit;
mod order_return;
mod order_void;
mod orders;
mod points;
mod points_transfer;
mod reconciliation;
mod redemption_answer;
mod redemption_commit;
mod redemption_reverse;
mod redemption_void;
mod redemptions;
mod reports;
mod reward_codes;
mod reward_prints;
mod segments;
mod shown;
mod validations;

use crate::app::App;
use utoipa_axum::{router::OpenApiRouter, routes};

/// Every endpoint with its description.
pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(auth_guest::login_guest))
        .routes(routes!(auth_dev::login_dev))
        .routes(routes!(auth_refresh::refresh))
        .routes(routes!(campaigns::list_campaigns))
        .routes(routes!(campaigns::get_campaign))
        .routes(routes!(campaign_join::join_campaign))
        .routes(routes!(campaign_act::act_on_mechanic))
        .routes(routes!(campaign_progress::get_progress))
        .routes(routes!(grants::list_grants))
        .routes(routes!(grants::get_grant))
        .routes(routes!(grant_code::get_grant_code))
        .routes(routes!(grant_claim::claim_grant))
        .routes(routes!(jwks::get_jwks))
        .routes(routes!(grant_top_up::top_up_grant))
        .routes(routes!(carts_evaluate::evaluate_cart))
        .routes(routes!(orders::place_order))
        .routes(routes!(orders::get_order))
        .routes(routes!(order_commit::commit_order))
        .routes(routes!(order_void::void_order))
        .routes(routes!(order_return::return_order))
        .routes(routes!(validations::validate_codes))
        .routes(routes!(events::send_events))
        .routes(routes!(events::send_my_events))
        .routes(routes!(segments::get_membership))
        .routes(routes!(segments::preview_segment))
        .routes(routes!(redemptions::redeem, redemptions::list_redemptions))
        .routes(routes!(redemptions::get_redemption))
        .routes(routes!(redemption_commit::commit_redemption))
        .routes(routes!(redemption_void::void_redemption))
        .routes(routes!(redemption_reverse::reverse_redemption))
        .routes(routes!(reward_codes::import_codes))
        .routes(routes!(reward_prints::print_codes))
        .routes(routes!(points::get_points))
        .routes(routes!(points::list_points_entries))
        .routes(routes!(points_transfer::transfer_points))
        .routes(routes!(members_import::import_members))
        .routes(routes!(messages::list_messages))
        .routes(routes!(messages::read_message))
        .routes(routes!(me::get_me, me::patch_me))
        .routes(routes!(me_code::get_my_code))
        .routes(routes!(me_consent::put_consent))
        .routes(routes!(members::put_member, members::get_member))
        .routes(routes!(members_resolve::resolve_member))
        .routes(routes!(lists::put_list))
        .routes(routes!(lists::add_to_list))
        .routes(routes!(lists::remove_from_list))
        .routes(routes!(reconciliation::get_reconciliation))
        .routes(routes!(exceptions::list_exceptions))
        .routes(routes!(reports::get_report))
        .routes(routes!(ledger::export_ledger))
        .routes(routes!(adjustments::propose_adjustment, adjustments::list_adjustments))
        .routes(routes!(adjustment_decide::approve_adjustment))
        .routes(routes!(adjustment_decide::reject_adjustment))
        .routes(routes!(operations::healthz))
        .routes(routes!(operations::readyz))
        .routes(routes!(operations::metrics))
        .routes(routes!(operations::get_open_api))
}
