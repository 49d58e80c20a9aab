//! The trace that a request is a part of, where its caller says so: the headers `traceparent` and
//! `tracestate` of W3C's Trace Context.

use axum::http::HeaderMap;

/// A longer `tracestate` is passed over; one of this length must be passed on (section 3.3.1.5).
const STATE_BYTES_MAX: usize = 512;

/// A caller's span.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TraceParent {
    /// 32 hexadecimal digits.
    pub(crate) trace: String,
    /// The caller's span: 16 hexadecimal digits.
    pub(crate) span: String,
    /// Whether the caller may have recorded its span.
    pub(crate) sampled: Sampled,
    /// What else tracing systems say of the trace.
    pub(crate) state: String,
}

/// Whether a trace is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sampled {
    Yes,
    No,
}

impl TraceParent {
    /// What the headers say. One that is not in the standard's form counts as absent (section
    /// 3.2.2.3), and so do two.
    pub(crate) fn of(headers: &HeaderMap) -> Option<TraceParent> {
        let mut given = headers.get_all("traceparent").iter();
        let (one, None) = (given.next()?.to_str().ok()?, given.next()) else { return None };
        let parent = TraceParent::read(one)?;
        let state = headers.get_all("tracestate").iter().map(|value| value.to_str());
        let state = state.collect::<Result<Vec<&str>, _>>().unwrap_or_default().join(",");
        let fits = state.len() <= STATE_BYTES_MAX;
        Some(TraceParent { state: if fits { state } else { String::new() }, ..parent })
    }

    /// `00-TRACE-SPAN-FLAGS`; a later version may have more after it.
    fn read(text: &str) -> Option<TraceParent> {
        let hexadecimal = |text: &str| {
            text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f'))
        };
        let mut parts = text.split('-');
        let mut part =
            |length: usize| parts.next().filter(|part| part.len() == length && hexadecimal(part));
        let (version, trace, span, flags) = (part(2)?, part(32)?, part(16)?, part(2)?);
        let names_something = |id: &str| id.bytes().any(|byte| byte != b'0');
        let is_over = parts.next().is_none();
        let known = version != "ff" && (is_over || version != "00");
        if !known || !names_something(trace) || !names_something(span) {
            return None;
        }
        let flags = u8::from_str_radix(flags, 16).ok()?;
        let sampled = if flags & 1 == 1 { Sampled::Yes } else { Sampled::No };
        let (trace, span) = (trace.to_owned(), span.to_owned());
        Some(TraceParent { trace, span, sampled, state: String::new() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    const SPAN: &str = "b7ad6b7169203331";

    fn of(headers: &[(&'static str, &str)]) -> Option<TraceParent> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        TraceParent::of(&map)
    }

    #[test]
    fn a_trace_is_read_from_the_standard_form() {
        let text = format!("00-{TRACE}-{SPAN}-01");
        let parent = of(&[("traceparent", &text), ("tracestate", "a=1"), ("tracestate", "b=2")]);
        let parent = parent.unwrap();
        assert_eq!((parent.trace.as_str(), parent.span.as_str()), (TRACE, SPAN));
        assert_eq!((parent.sampled, parent.state.as_str()), (Sampled::Yes, "a=1,b=2"));
        let later = format!("cc-{TRACE}-{SPAN}-fe-what-comes");
        assert_eq!(of(&[("traceparent", &later)]).unwrap().sampled, Sampled::No);
        let long = "a=".to_owned() + &"1".repeat(STATE_BYTES_MAX);
        assert_eq!(of(&[("traceparent", &text), ("tracestate", &long)]).unwrap().state, "");
    }

    #[test]
    fn what_is_not_in_the_form_is_no_trace() {
        let zeros = ["0".repeat(32), "0".repeat(16)];
        for wrong in [
            String::new(),
            "00".into(),
            format!("00-{TRACE}-{SPAN}"),
            format!("00-{TRACE}-{SPAN}-01-more"),
            format!("ff-{TRACE}-{SPAN}-01"),
            format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
            format!("00-{}-{SPAN}-01", zeros[0]),
            format!("00-{TRACE}-{}-01", zeros[1]),
            format!("00-{TRACE}-{SPAN}-0"),
            format!("00-{SPAN}-{TRACE}-01"),
        ] {
            assert_eq!(of(&[("traceparent", &wrong)]), None, "{wrong}");
        }
        let text = format!("00-{TRACE}-{SPAN}-01");
        assert_eq!(of(&[("traceparent", &text), ("traceparent", &text)]), None);
        assert_eq!(of(&[("tracestate", "a=1")]), None);
    }
}
