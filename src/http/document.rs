//! What every operation of the `OpenAPI` document says alike, so that no handler repeats it: an answer has a description,
//! an error is a problem, and a door that asks for credentials can refuse them.

use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::{Content, OpenApi, Ref, RefOr, Response};

pub fn complete(document: &mut OpenApi) {
    document.paths.paths.values_mut().flat_map(operations).for_each(complete_operation);
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem { get, put, post, delete, patch, .. } = item;
    [get, put, post, delete, patch].into_iter().flatten()
}

fn complete_operation(operation: &mut Operation) {
    let answers = &mut operation.responses.responses;
    // Without a word of its own the document's applies: a bearer.
    if operation.security.is_none() {
        for status in ["401", "429"] {
            answers.entry(status.to_owned()).or_insert_with(|| RefOr::T(Response::default()));
        }
    }
    for (status, answer) in answers {
        if let RefOr::T(answer) = answer {
            complete_answer(status, answer);
        }
    }
}

fn complete_answer(status: &str, answer: &mut Response) {
    if answer.description.is_empty() {
        words(status).clone_into(&mut answer.description);
    }
    if status.starts_with(['4', '5']) && answer.content.is_empty() {
        let problem = Content::new(Some(Ref::from_schema_name("Problem")));
        answer.content.insert("application/problem+json".to_owned(), RefOr::T(problem));
    }
}

fn words(status: &str) -> &'static str {
    match status {
        "200" => "done",
        "202" => "on its way; what becomes of it is told on the channel",
        "204" => "done, and nothing to say",
        "400" => "a value is missing or not valid; `detail` names it",
        "401" => "no credentials, or not valid, or expired: get a new token",
        "403" => "not this caller's to do",
        "404" => "not there, or another tenant's",
        "413" => "the body is too large",
        "415" => "not `application/json`, or compressed",
        "429" => "too many requests; wait for `Retry-After`",
        "502" => "`evolution_refused`: `detail` says what to change",
        "503" => "not possible for now; wait for `Retry-After`",
        _ => "see the status",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    /// Each operation of the published document.
    fn published() -> Vec<Value> {
        let document = crate::http::openapi_document(None).expect("a document");
        let document: Value = serde_json::from_str(&document).expect("JSON");
        let paths = document["paths"].as_object().expect("paths");
        paths.values().flat_map(|item| item.as_object().expect("operations").values().cloned()).collect()
    }

    #[test]
    fn every_answer_is_described_and_every_error_is_a_problem() {
        for operation in published() {
            // What it says of itself when it isn't ready is no problem's form.
            let is_ready = operation["operationId"] == "ready";
            for (status, answer) in operation["responses"].as_object().expect("responses") {
                let place = format!("{} {status}", operation["summary"]);
                assert!(answer["description"].as_str().is_some_and(|text| text.len() > 3), "{place}: no description");
                let is_error = status.starts_with(['4', '5']) && !is_ready;
                assert_eq!(answer["content"]["application/problem+json"].is_object(), is_error, "{place}");
            }
        }
    }

    #[test]
    fn no_two_operations_have_one_id() {
        let operations = published();
        let ids: BTreeSet<_> = operations.iter().map(|operation| operation["operationId"].to_string()).collect();
        assert_eq!(ids.len(), operations.len());
    }
}
