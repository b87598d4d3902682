//! The dashboard at `/` and the page that a user's link opens: the files of `static/`, inside the binary. A debug build
//! reads them from disk, so that a reload shows an edit. Knows nothing of what the pages do; they know only the public
//! API.

use actix_web::http::Method;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, EntityTag, Header, HeaderName, IfNoneMatch,
    REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use rust_embed::{EmbeddedFile, RustEmbed};

use super::problem::{self, Problem};

#[derive(RustEmbed)]
#[folder = "static/"]
struct Files;

/// Nothing from elsewhere, nothing inline, no frames around us. `data:` is for QR images, which come in frames.
const POLICY: &str = "default-src 'self'; img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; \
                      base-uri 'none'; object-src 'none'";

const HEADERS: [(HeaderName, &str); 4] = [
    (CONTENT_SECURITY_POLICY, POLICY),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "no-referrer"),
    // Kept, but asked for each time: after an upgrade no browser mixes old modules with new ones.
    (CACHE_CONTROL, "no-cache"),
];

/// What no route took: a file of the page, or the problem that there is nothing here.
///
/// # Errors
/// [`crate::domain::error::Error::NotFound`], or that the method is not one for this address.
pub async fn file_or_problem(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let path = match request.path().trim_start_matches('/') {
        "" => "index.html",
        path => path,
    };
    match Files::get(path).filter(|_| reads) {
        Some(file) => Ok(serve(&request, file)),
        None => problem::no_route(request).await,
    }
}

fn serve(request: &HttpRequest, file: EmbeddedFile) -> HttpResponse {
    let tag = tag(&file);
    let kept = IfNoneMatch::parse(request).is_ok_and(|known| match known {
        IfNoneMatch::Any => true,
        IfNoneMatch::Items(tags) => tags.iter().any(|one| one.weak_eq(&tag)),
    });

    let mut answer = if kept { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    for header in HEADERS {
        answer.insert_header(header);
    }
    answer.insert_header((ETAG, tag.to_string()));
    if kept {
        return answer.finish();
    }
    answer.insert_header((CONTENT_TYPE, content_type(&file))).body(file.data)
}

/// The content's hash, so that every node of one version names a file alike.
fn tag(file: &EmbeddedFile) -> EntityTag {
    EntityTag::new_strong(BASE64_URL_SAFE_NO_PAD.encode(file.metadata.sha256_hash()))
}

fn content_type(file: &EmbeddedFile) -> String {
    let kind = file.metadata.mimetype();
    if kind.starts_with("text/") { format!("{kind}; charset=utf-8") } else { kind.to_owned() }
}

#[cfg(test)]
mod tests {
    use actix_web::http::StatusCode;
    use actix_web::http::header::IF_NONE_MATCH;
    use actix_web::test::{TestRequest, call_service, init_service, read_body};
    use actix_web::{App, dev::ServiceResponse};

    use super::*;

    const PAGES: [&str; 2] = ["index.html", "connect.html"];

    async fn get(path: &str, known: Option<&str>) -> ServiceResponse {
        let app = init_service(App::new().default_service(actix_web::web::to(file_or_problem))).await;
        let mut request = TestRequest::get().uri(path);
        if let Some(tag) = known {
            request = request.insert_header((IF_NONE_MATCH, tag));
        }
        call_service(&app, request.to_request()).await
    }

    fn header<'a>(answer: &'a ServiceResponse, name: &HeaderName) -> &'a str {
        answer.headers().get(name).map_or("", |value| value.to_str().unwrap())
    }

    fn text(path: &str) -> String {
        let file = Files::get(path).unwrap_or_else(|| panic!("`static/{path}` is missing"));
        String::from_utf8(file.data.into_owned()).unwrap()
    }

    /// What stands between `before` and the next quote, everywhere in `text`.
    fn quoted<'a>(text: &'a str, before: &str, quote: char) -> Vec<&'a str> {
        text.split(before).skip(1).filter_map(|rest| rest.split(quote).next()).collect()
    }

    #[actix_web::test]
    async fn the_page_comes_with_its_policy_and_is_asked_for_each_time() {
        let answer = get("/", None).await;

        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(header(&answer, &CONTENT_TYPE), "text/html; charset=utf-8");
        assert_eq!(header(&answer, &CACHE_CONTROL), "no-cache");
        assert_eq!(header(&answer, &X_CONTENT_TYPE_OPTIONS), "nosniff");
        assert_eq!(header(&answer, &REFERRER_POLICY), "no-referrer");
        let policy = header(&answer, &CONTENT_SECURITY_POLICY);
        assert!(policy.contains("default-src 'self'") && !policy.contains("unsafe"), "{policy}");
    }

    #[actix_web::test]
    async fn scripts_and_styles_have_the_types_that_browsers_insist_on() {
        for (path, kind) in [
            ("/js/main.js", "text/javascript; charset=utf-8"),
            ("/css/ui.css", "text/css; charset=utf-8"),
            ("/favicon.svg", "image/svg+xml"),
        ] {
            assert_eq!(header(&get(path, None).await, &CONTENT_TYPE), kind, "{path}");
        }
    }

    #[actix_web::test]
    async fn a_browser_that_has_the_file_gets_only_the_word_that_it_is_the_same() {
        let tag = header(&get("/js/main.js", None).await, &ETAG).to_owned();

        let same = get("/js/main.js", Some(&tag)).await;
        let other = get("/js/main.js", Some("\"another\"")).await;

        assert_eq!(same.status(), StatusCode::NOT_MODIFIED);
        assert!(read_body(same).await.is_empty());
        assert_eq!(other.status(), StatusCode::OK);
    }

    #[actix_web::test]
    async fn only_files_of_the_page_are_served() {
        for path in ["/nothing.js", "/js", "/js/", "/../Cargo.toml", "/%2e%2e/Cargo.toml", "/js/..%2f..%2fCargo.toml"] {
            assert_eq!(get(path, None).await.status(), StatusCode::NOT_FOUND, "{path}");
        }
    }

    #[test]
    fn every_file_the_pages_name_is_there() {
        let mut waiting: Vec<String> = Vec::new();
        for page in PAGES.map(text) {
            let named = ["src=\"/", "href=\"/"].map(|attribute| quoted(&page, attribute, '"')).concat();
            assert!(named.len() >= 5, "{named:?}");
            waiting.extend(named.into_iter().filter(|path| !path.is_empty()).map(str::to_owned));
        }
        let mut seen = std::collections::BTreeSet::new();
        while let Some(path) = waiting.pop() {
            let content = text(&path);
            if path.starts_with("js/") && seen.insert(path) {
                waiting.extend(quoted(&content, " from './", '\'').into_iter().map(|name| format!("js/{name}")));
            }
        }

        let modules: Vec<_> = Files::iter().filter(|path| path.starts_with("js/")).collect();
        assert!(modules.iter().all(|path| seen.contains(path.as_ref())), "a module nobody imports among {modules:?}");
    }

    #[test]
    fn nothing_in_the_pages_is_inline_since_the_policy_would_refuse_it() {
        for page in PAGES.map(text) {
            assert!(!page.contains("<style") && !page.contains(" style=") && !page.contains("javascript:"));
            assert!(!page.split_whitespace().any(|word| word.starts_with("on") && word.contains("=\"")));
            assert_eq!(page.matches("<script").count(), page.matches("></script>").count());
            assert_eq!(
                page.matches("<script").count(),
                quoted(&page, "<script", '>').iter().filter(|tag| tag.contains("src=\"/")).count()
            );
        }
    }

    #[test]
    fn every_word_the_pages_ask_for_is_in_its_table() {
        let modules: String = Files::iter().filter(|path| path.starts_with("js/")).map(|path| text(&path)).collect();
        let pages = PAGES.map(text).concat();

        for (table, keys, at_least) in [
            ("js/words.js", [called(&modules, 't'), quoted(&pages, " data-t=\"", '"')].concat(), 40),
            ("js/owner-words.js", called(&modules, 'o'), 20),
        ] {
            let words = text(table);
            assert!(keys.len() > at_least, "{keys:?}");
            for key in keys {
                assert!(words.contains(&format!(" {key}: ['")), "no words for `{key}` in {table}");
            }
        }
    }

    /// The first arguments of a function with a name of one letter, where they are plain strings.
    fn called(code: &str, name: char) -> Vec<&str> {
        let call = format!("{name}('");
        let calls = code.match_indices(&call).filter(|(at, _)| {
            !code[..*at].ends_with(|before: char| before.is_alphanumeric() || before == '_' || before == '.')
        });
        calls.filter_map(|(at, _)| code[at + call.len()..].split('\'').next()).collect()
    }

    /// What stands between quotes in a script, comments left out: not its keys, which nobody reads.
    fn strings(code: &str) -> Vec<&str> {
        let said = |line: &'_ str| !line.trim_start().starts_with(['/', '*']);
        code.lines().filter(|line| said(line)).flat_map(|line| line.split('\'').skip(1).step_by(2)).collect()
    }

    #[test]
    fn an_owner_never_reads_of_instances_or_of_evolution() {
        let words = text("js/owner-words.js");

        let read = strings(&words);
        assert!(read.len() > 100);
        assert!(read.contains(&"Conectar o WhatsApp") && !read.iter().any(|said| said.contains("': [")));
        for word in ["nstância", "nstance", "Evolution", "webhook"] {
            assert!(!read.iter().any(|said| said.contains(word)), "an owner reads `{word}`");
        }
    }

    #[test]
    fn text_from_outside_never_becomes_markup() {
        for path in Files::iter().filter(|path| path.starts_with("js/")) {
            let code = text(&path);
            for sink in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("] {
                assert!(!code.contains(sink), "{path} uses {sink}");
            }
        }
    }
}
