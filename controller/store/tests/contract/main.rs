//! One suite over `dyn Store`, run on every database that this room has, and what only one of them promises.

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod looked;
#[cfg(test)]
mod postgres;
#[cfg(test)]
mod server;
#[cfg(test)]
mod sqlite;
#[cfg(test)]
mod suite;

#[cfg(test)]
macro_rules! contract {
    ($($module:ident :: $test:ident;)*) => {
        mod on_a_sqlite_file {
            $(#[tokio::test]
            async fn $test() {
                let file = crate::fixtures::File::new(concat!("contract-", stringify!($test)));
                crate::suite::$module::$test(&file.open().await).await;
            })*
        }
        mod on_postgresql {
            $(#[tokio::test]
            async fn $test() {
                let database = crate::server::Database::new(stringify!($test)).await;
                crate::suite::$module::$test(&database.open().await).await;
            })*
        }
        mod on_sqlite_in_memory {
            $(#[tokio::test]
            async fn $test() {
                crate::suite::$module::$test(&fanfare_store::SqliteStore::in_memory().await.unwrap()).await;
            })*
        }
    };
}

#[cfg(test)]
contract! {
    batches::an_empty_namespace_answers_nothing;
    batches::every_row_comes_back_as_it_was_written;
    batches::what_must_not_exist_voids_the_batch;
    batches::what_must_exist_voids_the_batch;
    batches::what_cannot_be_written_voids_the_batch;
    batches::a_dropped_batch_leaves_nothing_and_frees_the_lane;
    batches::a_cancelled_batch_frees_the_lane;
    batches::an_empty_batch_moves_nothing;
    batches::batches_of_one_lane_follow_each_other;
    batches::a_key_that_no_row_can_have_finds_nothing;
    batches::news_follow_their_batches;
    batches::namespaces_do_not_see_each_other;
    money::counters_and_balances_add_up;
    money::a_wallet_is_loaded_with_all_its_lots_and_told_by_transaction;
    money::the_ledger_is_one_chain_in_order;
    money::a_voucher_has_one_live_redemption;
    money::each_use_of_a_voucher_has_one_live_redemption;
    money::a_change_keeps_the_terms_of_the_issue;
    money::rows_written_several_times_are_there_as_written_last;
    reports::a_cut_has_what_was_asked_for_and_its_position;
    reports::exceptions_are_found_by_kind_store_and_day;
    reports::events_are_listed_with_their_answers;
    reports::an_inspection_counts_what_it_read;
    reports::a_till_s_day_that_is_not_its_orders_is_found;
    subjects::pages_go_on_where_the_last_ended;
    subjects::a_revision_replaces_the_served_one_and_stays;
    subjects::lists_are_set_added_to_and_removed_from;
    subjects::jobs_are_due_moved_and_done;
    subjects::messages_wait_are_taken_and_arrive;
    subjects::identities_move_with_their_member;
    subjects::tokens_are_used_revoked_and_forgotten;
    subjects::settings_are_kept;
    subjects::whoever_was_deposed_writes_nothing;
    subjects::a_restore_shuts_out_whoever_had_it_open;
    subjects::imported_codes_stand_at_their_place_and_once;
    subjects::answers_are_kept_seven_days;
}
