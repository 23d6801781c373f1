//! `GET /v1/messages` and `POST /v1/messages/{id}/read`: the caller's inbox.

use crate::{
    app::{App, written},
    auth::Member,
    input::{
        path::Id,
        query::{Asked, PageOf, PageRequest, Paging},
    },
    output::{Answer, execute, ok, repeatable},
    problem::Problem,
};
use axum::extract::State;
use fanfare_core::time::Tz;
use fanfare_engine::{
    inbox::MarkRead,
    store::{Page, rows::Message},
};
use http::HeaderMap;
use serde::Serialize;
use utoipa::ToSchema;

/// A message to the caller.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MessageView {
    id: String,
    channel: String,
    template: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    campaign: Option<String>,
    subject: String,
    body: String,
    locale: String,
    sent_at: Option<String>,
    /// `null` while it is unread.
    read_at: Option<String>,
}

impl MessageView {
    fn of(message: &Message, zone: Tz) -> Self {
        Self {
            id: message.id.to_string(),
            channel: message.channel.to_string(),
            template: message.template.to_string(),
            campaign: message.campaign.as_ref().map(ToString::to_string),
            subject: message.subject.clone(),
            body: message.body.clone(),
            locale: message.locale.clone(),
            sent_at: message.sent_at.map(|at| written(at, zone)),
            read_at: message.read_at.map(|at| written(at, zone)),
        }
    }
}

/// The inbox, newest first.
#[utoipa::path(
    get, path = "/v1/messages", operation_id = "listMessages", tag = "member", params(Paging),
    responses((status = 200, body = PageOf<MessageView>), (status = 304, description = "It is as it was")), security(("member" = []))
)]
pub(crate) async fn list_messages(State(app): State<App>, caller: Member, query: Asked, headers: HeaderMap) -> Answer {
    let PageRequest { limit, after } = query.page()?;
    let rows = app.engine().inbox(&caller.0, Page { limit, after }).await.map_err(|error| app.store_fault(&error))?;
    let more = rows.last().filter(|_| rows.len() >= limit).map(|last| last.id.to_string());
    let zone = app.zone();
    let items = rows.iter().map(|row| MessageView::of(row, zone)).collect();
    repeatable(&headers, &PageRequest::answer(items, more))
}

/// Notes that the caller has read a message.
#[utoipa::path(
    post, path = "/v1/messages/{id}/read", operation_id = "readMessage", tag = "member", params(("id" = String, Path)),
    responses((status = 200, body = MessageView)), security(("member" = []))
)]
pub(crate) async fn read_message(State(app): State<App>, caller: Member, Id(id): Id) -> Answer {
    let zone = app.zone();
    execute(&app, MarkRead { member: caller.0, message: id.into() }, |found| {
        ok(&MessageView::of(&found.ok_or_else(|| Problem::not_found("message"))?, zone))
    })
    .await
}
