//! The console's files, which are part of the program. They hold no data, so anyone may have them;
//! what they show they ask for with the caller's key.

use axum::Router;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::state::Shared;

/// A file of the console.
struct File {
    path: &'static str,
    kind: &'static str,
    text: &'static str,
}

macro_rules! file {
    ($path:literal, $name:literal, $kind:literal) => {
        File {
            path: $path,
            kind: concat!($kind, "; charset=utf-8"),
            text: include_str!(concat!("../../../console/", $name)),
        }
    };
}

static FILES: [File; 16] = [
    file!("/", "index.html", "text/html"),
    file!("/style.css", "style.css", "text/css"),
    file!("/icon.svg", "icon.svg", "image/svg+xml"),
    file!("/app.js", "app.js", "text/javascript"),
    file!("/api.js", "api.js", "text/javascript"),
    file!("/ask.js", "ask.js", "text/javascript"),
    file!("/audit.js", "audit.js", "text/javascript"),
    file!("/dom.js", "dom.js", "text/javascript"),
    file!("/documents.js", "documents.js", "text/javascript"),
    file!("/feedback.js", "feedback.js", "text/javascript"),
    file!("/parts.js", "parts.js", "text/javascript"),
    file!("/receipts.js", "receipts.js", "text/javascript"),
    file!("/reviews.js", "reviews.js", "text/javascript"),
    file!("/source.js", "source.js", "text/javascript"),
    file!("/verify.js", "verify.js", "text/javascript"),
    file!("/words.js", "words.js", "text/javascript"),
];

/// The console's addresses.
pub(crate) fn router() -> Router<Shared> {
    FILES.iter().fold(Router::new(), |router, file| {
        router.route(file.path, get(move || std::future::ready(file.response())))
    })
}

impl File {
    /// Never kept without asking: a new version of the program brings new files.
    fn response(&self) -> Response {
        let headers = [(header::CONTENT_TYPE, self.kind), (header::CACHE_CONTROL, "no-cache")];
        (headers, self.text).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// On a slow line and a small machine the console must still come at once.
    const BYTES_MAX: usize = 80_000;

    #[test]
    fn the_console_is_small() {
        let bytes: usize = FILES.iter().map(|file| file.text.len()).sum();
        assert!(bytes <= BYTES_MAX, "{bytes} bytes");
    }

    #[test]
    fn the_console_reaches_for_nothing_outside() {
        for file in &FILES {
            let own = file.text.replace("http://www.w3.org/2000/svg", "");
            for outside in ["http://", "https://", "src=\"//", "@import", "url("] {
                assert!(!own.contains(outside), "{} holds {outside}", file.path);
            }
        }
    }

    #[test]
    fn text_never_becomes_markup() {
        let makers = ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("];
        for file in &FILES {
            for maker in makers {
                assert!(!file.text.contains(maker), "{} holds {maker}", file.path);
            }
        }
        let page = FILES[0].text;
        assert!(!page.contains("<style") && !page.contains("onclick"), "inline code in the page");
    }

    #[test]
    fn every_module_that_is_asked_for_is_served() {
        for file in FILES.iter().filter(|file| file.kind.starts_with("text/javascript")) {
            for (_, rest) in file.text.split("from './").skip(1).map(|rest| ((), rest)) {
                let name = rest.split('\'').next().unwrap();
                assert!(
                    FILES.iter().any(|file| file.path[1..] == *name),
                    "{} asks for {name}",
                    file.path
                );
            }
        }
    }
}
