//! `PUT /v1/lists/{name}`, `POST /v1/lists/{name}/members` and `DELETE …/members/{id}`: uploaded lists.

use crate::{
    app::App,
    auth::{Integration, scope::Lists},
    input::{
        json::BulkBody,
        path::{Id, Ids},
    },
    output::{Answer, execute, ok},
    problem::Problem,
    wire::Faults,
};
use axum::{extract::State, response::IntoResponse};
use fanfare_core::ids::MemberId;
use fanfare_engine::lists::{AddToList, MEMBERS_MAX, PutList, RemoveFromList};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Members by id.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListBody {
    /// At most 100,000; twice the same counts once.
    members: Vec<String>,
}

/// A list after a change.
#[derive(Serialize, ToSchema)]
pub(crate) struct ListView {
    name: String,
    /// How many members were taken.
    members: usize,
}

impl ListBody {
    fn read(self, name: &str) -> Result<Vec<MemberId>, Problem> {
        let mut faults = Faults::default();
        // A list is named in a Segment, so its name is that of a resource.
        let is_name =
            name.len() <= 63 && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if !is_name {
            faults.add("", format!("{name:?} is no name of a list"), "lower-case letters, digits and -, at most 63");
        }
        if self.members.len() > MEMBERS_MAX {
            faults.add(
                "/members",
                "there are too many",
                format!("at most {MEMBERS_MAX} in one call; add the rest after"),
            );
        }
        for (index, member) in self.members.iter().enumerate().take(MEMBERS_MAX) {
            faults.text(format!("/members/{index}"), member);
        }
        faults.done()?;
        Ok(self.members.into_iter().map(MemberId::from).collect())
    }
}

/// Replaces a list.
#[utoipa::path(
    put, path = "/v1/lists/{name}", operation_id = "putList", tag = "lists", params(("name" = String, Path)),
    request_body = ListBody, responses((status = 200, body = ListView)), security(("integration" = []))
)]
pub(crate) async fn put_list(
    State(app): State<App>,
    caller: Integration<Lists>,
    Id(name): Id,
    BulkBody(body): BulkBody<ListBody>,
) -> Answer {
    let members = body.read(&name)?;
    let command = PutList { list: name.as_str().into(), members, actor: caller.id().into() };
    execute(&app, command, |members| ok(&ListView { name, members })).await
}

/// Adds members to a list, which begins with its first.
#[utoipa::path(
    post, path = "/v1/lists/{name}/members", operation_id = "addToList", tag = "lists", params(("name" = String, Path)),
    request_body = ListBody, responses((status = 200, body = ListView)), security(("integration" = []))
)]
pub(crate) async fn add_to_list(
    State(app): State<App>,
    caller: Integration<Lists>,
    Id(name): Id,
    BulkBody(body): BulkBody<ListBody>,
) -> Answer {
    let members = body.read(&name)?;
    let command = AddToList { list: name.as_str().into(), members, actor: caller.id().into() };
    execute(&app, command, |members| ok(&ListView { name, members })).await
}

/// Takes a member off a list, whether it stood on it or not.
#[utoipa::path(
    delete, path = "/v1/lists/{name}/members/{id}", operation_id = "removeFromList", tag = "lists",
    params(("name" = String, Path), ("id" = String, Path)),
    responses((status = 204, description = "It does not stand on it")), security(("integration" = []))
)]
pub(crate) async fn remove_from_list(State(app): State<App>, caller: Integration<Lists>, ids: Ids<2>) -> Answer {
    let Ids([name, id]) = ids;
    let command = RemoveFromList { list: name.into(), member: id.into(), actor: caller.id().into() };
    execute(&app, command, |_| Ok(StatusCode::NO_CONTENT.into_response())).await
}
