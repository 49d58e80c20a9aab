//! The arguments of the tools: one definition gives the type, its reader and its JSON schema.

use std::collections::BTreeMap;

use allod_policy::ToolName;
use jiff::civil::Date;
use serde_json::{Map, Value, json};

/// The arguments of a tool.
pub(crate) trait Arguments: Sized {
    /// What the tool does.
    const ABOUT: &'static str;

    /// The JSON schema (2020-12) of the arguments.
    fn schema() -> Value;

    /// Reads them; `Err` says which is wrong and what it must be.
    fn read(given: &Map<String, Value>) -> Result<Self, String>;
}

/// The value of one argument.
trait Argument: Sized {
    /// Whether it must be given.
    const REQUIRED: bool = true;
    /// What it must be, in words.
    const WHAT: &'static str;

    fn schema() -> Value;

    fn read(value: Option<&Value>) -> Option<Self>;
}

impl Argument for String {
    const WHAT: &'static str = "a text";

    fn schema() -> Value {
        json!({"type": "string", "minLength": 1})
    }

    fn read(value: Option<&Value>) -> Option<String> {
        value?.as_str().filter(|text| !text.trim().is_empty()).map(Into::into)
    }
}

impl Argument for i64 {
    const WHAT: &'static str = "a whole number from -100000 to 100000";

    fn schema() -> Value {
        json!({"type": "integer", "minimum": -100_000, "maximum": 100_000})
    }

    fn read(value: Option<&Value>) -> Option<i64> {
        value?.as_i64().filter(|number| (-100_000..=100_000).contains(number))
    }
}

impl Argument for u64 {
    const WHAT: &'static str = "a whole number from 0 to 1000000000";

    fn schema() -> Value {
        json!({"type": "integer", "minimum": 0, "maximum": 1_000_000_000})
    }

    fn read(value: Option<&Value>) -> Option<u64> {
        value?.as_u64().filter(|number| *number <= 1_000_000_000)
    }
}

impl Argument for Date {
    const WHAT: &'static str = "a day as 2026-01-31";

    fn schema() -> Value {
        json!({"type": "string", "format": "date"})
    }

    fn read(value: Option<&Value>) -> Option<Date> {
        value?.as_str()?.parse().ok()
    }
}

impl<T: Argument> Argument for Option<T> {
    const REQUIRED: bool = false;
    const WHAT: &'static str = T::WHAT;

    fn schema() -> Value {
        T::schema()
    }

    fn read(value: Option<&Value>) -> Option<Option<T>> {
        match value {
            None | Some(Value::Null) => Some(None),
            given => T::read(given).map(Some),
        }
    }
}

impl<T: Argument> Argument for Vec<T> {
    const WHAT: &'static str = "a list";

    fn schema() -> Value {
        json!({"type": "array", "items": T::schema(), "maxItems": 400})
    }

    fn read(value: Option<&Value>) -> Option<Vec<T>> {
        let items = value?.as_array().filter(|items| items.len() <= 400)?;
        items.iter().map(|item| T::read(Some(item))).collect()
    }
}

/// Fields of a form, by name.
pub(crate) type Fields = BTreeMap<String, String>;

impl Argument for Fields {
    const WHAT: &'static str = "an object of texts";

    fn schema() -> Value {
        json!({"type": "object", "additionalProperties": {"type": "string"}})
    }

    fn read(value: Option<&Value>) -> Option<Fields> {
        let fields = value?.as_object().filter(|fields| fields.len() <= 200)?;
        let field = |(name, value): (&String, &Value)| Some((name.clone(), value.as_str()?.into()));
        fields.iter().map(field).collect()
    }
}

/// What is computed with dates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DateAct {
    AddDays,
    AddWeeks,
    AddMonths,
    AddYears,
    AddWorkingDays,
    DaysBetween,
    WorkingDaysBetween,
    Deadline,
}

impl DateAct {
    const ALL: [(&'static str, DateAct); 8] = [
        ("add_days", DateAct::AddDays),
        ("add_weeks", DateAct::AddWeeks),
        ("add_months", DateAct::AddMonths),
        ("add_years", DateAct::AddYears),
        ("add_working_days", DateAct::AddWorkingDays),
        ("days_between", DateAct::DaysBetween),
        ("working_days_between", DateAct::WorkingDaysBetween),
        ("deadline", DateAct::Deadline),
    ];
}

impl Argument for DateAct {
    const WHAT: &'static str = "add_days, add_weeks, add_months, add_years, add_working_days, \
                                days_between, working_days_between or deadline";

    fn schema() -> Value {
        json!({"enum": DateAct::ALL.map(|(name, _)| name)})
    }

    fn read(value: Option<&Value>) -> Option<DateAct> {
        let name = value?.as_str()?;
        DateAct::ALL.iter().find(|(known, _)| *known == name).map(|(_, act)| *act)
    }
}

/// Makes a type of arguments from its fields and their descriptions.
macro_rules! arguments {
    ($(#[doc = $about:literal])+ $name:ident {
        $($(#[doc = $what:literal])+ $field:ident: $type:ty,)+
    }) => {
        $(#[doc = $about])+
        #[derive(Clone, Debug, PartialEq)]
        pub(crate) struct $name {
            $($(#[doc = $what])+ pub(crate) $field: $type,)+
        }

        impl Arguments for $name {
            const ABOUT: &'static str = concat!($($about),+);

            fn schema() -> Value {
                let mut properties = Map::new();
                let mut required: Vec<&str> = Vec::new();
                $(
                    let mut field = <$type as Argument>::schema();
                    field["description"] = concat!($($what),+).trim().into();
                    properties.insert(stringify!($field).into(), field);
                    if <$type as Argument>::REQUIRED {
                        required.push(stringify!($field));
                    }
                )+
                json!({
                    "type": "object",
                    "properties": properties,
                    "required": required,
                    "additionalProperties": false,
                })
            }

            fn read(given: &Map<String, Value>) -> Result<Self, String> {
                let known = [$(stringify!($field)),+];
                if let Some(name) = given.keys().find(|name| !known.contains(&name.as_str())) {
                    return Err(format!("there is no argument `{name}`: {}", known.join(", ")));
                }
                Ok($name {
                    $($field: <$type as Argument>::read(given.get(stringify!($field))).ok_or_else(
                        || format!(
                            "the argument `{}` must be {}",
                            stringify!($field),
                            <$type as Argument>::WHAT,
                        ),
                    )?,)+
                })
            }
        }
    };
}

arguments! {
    /// Finds passages of the documents that bear on a query.
    Search {
        /// What to look for, as a question or key words.
        query: String,
        /// How many passages, 1 to 20.
        limit: Option<i64>,
    }
}

arguments! {
    /// Reads a document, or a place of it.
    Read {
        /// The digest or the path of the document.
        document: String,
        /// The first byte of the place; the beginning when absent.
        start: Option<u64>,
        /// The byte after the last; the end when absent.
        end: Option<u64>,
    }
}

arguments! {
    /// Computes with decimal numbers, exactly.
    Calculate {
        /// Numbers with + - * / and brackets, like (3 + 2) * 12.50; 10% is 0.1.
        expression: String,
        /// Round to so many decimal places, half to even.
        decimals: Option<i64>,
    }
}

arguments! {
    /// Computes with dates.
    Dates {
        /// What to compute. deadline: the last day of a period of `count` days that begins on the
        /// day after `from`; if that is no working day, the next one.
        act: DateAct,
        /// The day to begin from.
        from: Date,
        /// The other day, where the time between two days is asked.
        to: Option<Date>,
        /// How many days, weeks, months or years.
        count: Option<i64>,
        /// Days that are no working days, beside Saturdays and Sundays.
        holidays: Option<Vec<Date>>,
    }
}

arguments! {
    /// Looks up a cell of a table in a document.
    Cell {
        /// The digest or the path of the document.
        document: String,
        /// Words of the row.
        row: String,
        /// The header of the column.
        column: String,
    }
}

arguments! {
    /// Fills a form or letter from a template; fields that are missing are named.
    Form {
        /// The template's name.
        template: String,
        /// The fields by name.
        fields: Fields,
    }
}

arguments! {
    /// Hands over to a person, through the review queue.
    HandOver {
        /// Why.
        note: String,
        /// The office that it goes to.
        office: Option<String>,
    }
}

/// What a tool does, and the schema of its arguments.
#[must_use]
pub fn described(tool: ToolName) -> (&'static str, Value) {
    fn of<T: Arguments>() -> (&'static str, Value) {
        (T::ABOUT.trim(), T::schema())
    }
    match tool {
        ToolName::Search => of::<Search>(),
        ToolName::Read => of::<Read>(),
        ToolName::Calculate => of::<Calculate>(),
        ToolName::Dates => of::<Dates>(),
        ToolName::Cell => of::<Cell>(),
        ToolName::Form => of::<Form>(),
        ToolName::HandOver => of::<HandOver>(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn schemas_say_what_readers_read() {
        for tool in ToolName::ALL {
            let (about, schema) = described(tool);
            assert!(!about.is_empty() && schema["additionalProperties"] == false, "{tool:?}");
            let properties = schema["properties"].as_object().unwrap();
            assert!(properties.values().all(|field| field["description"].is_string()));
        }
        let (_, schema) = described(ToolName::Dates);
        assert_eq!(schema["required"], json!(["act", "from"]));
        assert_eq!(schema["properties"]["act"]["enum"].as_array().unwrap().len(), 8);
    }

    #[test]
    fn arguments_are_typed_and_known() {
        let read = |value| Dates::read(&object(value));
        let good = json!({"act": "add_days", "from": "2026-02-28", "count": 2});
        assert_eq!(read(good).unwrap().act, DateAct::AddDays);
        for (bad, named) in [
            (json!({"act": "add_days"}), "`from`"),
            (json!({"act": "explode", "from": "2026-02-28"}), "`act`"),
            (json!({"act": "add_days", "from": "2026-02-30"}), "`from`"),
            (json!({"act": "add_days", "from": "2026-02-28", "count": 1.5}), "`count`"),
            (json!({"act": "add_days", "from": "2026-02-28", "shell": "rm"}), "`shell`"),
        ] {
            let why = read(bad.clone()).unwrap_err();
            assert!(why.contains(named), "{bad}: {why}");
        }
        // The least number has no positive beside it.
        for count in [i64::MIN, i64::MAX, 100_001] {
            let far = json!({"act": "add_working_days", "from": "2026-02-28", "count": count});
            assert!(read(far).unwrap_err().contains("`count`"));
        }
        let place = |start: i64| Read::read(&object(json!({"document": "a", "start": start})));
        assert_eq!(place(250_000).unwrap().start, Some(250_000));
        assert!(place(-1).unwrap_err().contains("`start`"));
        assert!(Search::read(&object(json!({"query": " "}))).is_err());
        assert!(Form::read(&object(json!({"template": "t", "fields": {"a": 1}}))).is_err());
    }
}
