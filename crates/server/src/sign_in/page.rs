//! What a person who signs in sees on the way: where it went well, the console; otherwise why not.

use axum::http::header;
use axum::response::{Html, IntoResponse, Response};

use crate::problem::Problem;

/// Goes on to the console by itself. A redirect would not do: the browser came from the issuer, and
/// would leave a strict cookie behind on the way that began there.
pub(super) const ARRIVED: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
    <title>Allod</title><meta http-equiv=\"refresh\" content=\"0; url=/\">\
    <p><a href=\"/\">Allod</a></p></html>";

/// Says what went wrong and how to go on.
pub(super) fn problem(problem: &Problem) -> Response {
    let message = escaped(problem.message());
    let page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Sign in · Allod</title>\n<link rel=\"stylesheet\" href=\"/style.css\">\n\
         <div class=\"frame\"><main><form class=\"key\"><h1>You are not signed in</h1>\n\
         <p class=\"problem\" role=\"alert\">{message}.</p>\n\
         <p><a href=\"/sign-in\">Sign in again</a> · <a href=\"/\">Console</a></p></form></main>\n\
         </div>\n</html>\n"
    );
    let retry = problem.clone().into_response().headers().get(header::RETRY_AFTER).cloned();
    let mut response = (problem.status(), Html(page)).into_response();
    if let Some(seconds) = retry {
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    response
}

/// A text as it stands in a page.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            letter => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_becomes_markup() {
        assert_eq!(escaped("<b a=\"x\">&</b>"), "&lt;b a=&quot;x&quot;&gt;&amp;&lt;/b&gt;");
    }
}
