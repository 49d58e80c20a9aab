//! Arithmetic with dates: calendar days, working days, deadlines.

use jiff::civil::{Date, Weekday};
use jiff::{Span, ToSpan};
use serde_json::{Value, json};

use super::arguments::{DateAct, Dates};

/// Working days are counted one by one, up to here.
const WORKING_DAYS_MAX: i64 = 10_000;

/// Does what the arguments say. A month or year is added to the same day of the month; where there
/// is none, to the last (31 January and a month is 28 or 29 February).
///
/// # Errors
/// In words: what is missing or too far.
pub(crate) fn compute(dates: &Dates) -> Result<Value, String> {
    let from = dates.from;
    let count = || dates.count.ok_or("the argument `count` is missing".to_owned());
    let to = || dates.to.ok_or("the argument `to` is missing".to_owned());
    let moved = |span: Span| day(add(from, span));
    match dates.act {
        DateAct::AddDays => moved(Span::new().try_days(count()?).map_err(|_| too_far())?),
        DateAct::AddWeeks => moved(Span::new().try_weeks(count()?).map_err(|_| too_far())?),
        DateAct::AddMonths => moved(Span::new().try_months(count()?).map_err(|_| too_far())?),
        DateAct::AddYears => moved(Span::new().try_years(count()?).map_err(|_| too_far())?),
        DateAct::AddWorkingDays => day(add_working_days(from, count()?, dates)),
        DateAct::DaysBetween => Ok(json!({"days": days_between(from, to()?)?})),
        DateAct::WorkingDaysBetween => Ok(json!({"days": working_days_between(dates, to()?)?})),
        DateAct::Deadline => day(deadline(from, count()?, dates)),
    }
}

fn too_far() -> String {
    "the day is too far away".to_owned()
}

fn add(from: Date, span: Span) -> Result<Date, String> {
    from.checked_add(span).map_err(|_| too_far())
}

fn day(date: Result<Date, String>) -> Result<Value, String> {
    let date = date?;
    Ok(json!({"date": date, "weekday": format!("{:?}", date.weekday()).to_lowercase()}))
}

fn is_working(date: Date, dates: &Dates) -> bool {
    let weekend = matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday);
    !weekend && !dates.holidays.iter().flatten().any(|holiday| *holiday == date)
}

fn add_working_days(from: Date, count: i64, dates: &Dates) -> Result<Date, String> {
    if count.unsigned_abs() > WORKING_DAYS_MAX.unsigned_abs() {
        return Err(format!("at most {WORKING_DAYS_MAX} working days"));
    }
    let (mut date, mut left) = (from, count.abs());
    while left > 0 {
        date = add(date, count.signum().days())?;
        left -= i64::from(is_working(date, dates));
    }
    Ok(date)
}

fn days_between(from: Date, to: Date) -> Result<i64, String> {
    from.until(to).map(|span| i64::from(span.get_days())).map_err(|_| too_far())
}

/// Working days after the first day, up to and with the other.
fn working_days_between(dates: &Dates, to: Date) -> Result<i64, String> {
    let days = days_between(dates.from, to)?;
    if days.abs() > WORKING_DAYS_MAX {
        return Err(format!("at most {WORKING_DAYS_MAX} days"));
    }
    let (first, last) = if days < 0 { (to, dates.from) } else { (dates.from, to) };
    let (mut date, mut found) = (first, 0);
    while date < last {
        date = add(date, 1.days())?;
        found += i64::from(is_working(date, dates));
    }
    Ok(found * days.signum())
}

/// The day of the event does not count; a last day that is no working day moves to the next one.
fn deadline(from: Date, count: i64, dates: &Dates) -> Result<Date, String> {
    if count < 0 {
        return Err("a period has 0 days or more".to_owned());
    }
    let mut date = add(from, Span::new().try_days(count).map_err(|_| too_far())?)?;
    while !is_working(date, dates) {
        date = add(date, 1.days())?;
    }
    Ok(date)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dates(act: DateAct, from: &str, count: Option<i64>) -> Dates {
        Dates { act, from: from.parse().unwrap(), to: None, count, holidays: None }
    }

    fn date(dates: &Dates) -> String {
        compute(dates).unwrap()["date"].as_str().unwrap().to_owned()
    }

    #[test]
    fn calendar_days_months_and_years() {
        assert_eq!(date(&dates(DateAct::AddDays, "2026-02-27", Some(3))), "2026-03-02");
        assert_eq!(date(&dates(DateAct::AddMonths, "2024-01-31", Some(1))), "2024-02-29");
        assert_eq!(date(&dates(DateAct::AddYears, "2024-02-29", Some(1))), "2025-02-28");
        assert_eq!(date(&dates(DateAct::AddWeeks, "2026-11-21", Some(-1))), "2026-11-14");
    }

    #[test]
    fn working_days_leave_out_weekends_and_holidays() {
        // Friday, 18 December 2026.
        let mut asked = dates(DateAct::AddWorkingDays, "2026-12-18", Some(5));
        assert_eq!(date(&asked), "2026-12-25");
        asked.holidays = Some(vec!["2026-12-25".parse().unwrap()]);
        assert_eq!(date(&asked), "2026-12-28");
        asked.act = DateAct::WorkingDaysBetween;
        asked.to = Some("2026-12-28".parse().unwrap());
        assert_eq!(compute(&asked).unwrap()["days"], 5);
        asked.to = Some("2026-12-11".parse().unwrap());
        assert_eq!(compute(&asked).unwrap()["days"], -5);
        // 30 days from 21 November end on Monday, 21 December; 29 on a Sunday, so the day after.
        assert_eq!(date(&dates(DateAct::Deadline, "2026-11-21", Some(30))), "2026-12-21");
        assert_eq!(date(&dates(DateAct::Deadline, "2026-11-21", Some(29))), "2026-12-21");
    }

    #[test]
    fn what_is_missing_or_too_far_is_named() {
        assert!(
            compute(&dates(DateAct::AddDays, "2026-01-01", None)).unwrap_err().contains("count")
        );
        assert!(compute(&dates(DateAct::DaysBetween, "2026-01-01", None)).is_err());
        assert!(compute(&dates(DateAct::AddYears, "2026-01-01", Some(99_999))).is_err());
        for act in [DateAct::AddWorkingDays, DateAct::Deadline, DateAct::AddDays] {
            for count in [i64::MIN, 99_999_999, i64::MAX] {
                assert!(compute(&dates(act, "2026-01-01", Some(count))).is_err());
            }
        }
        let between = |from: &str, to: &str| {
            let asked = dates(DateAct::DaysBetween, from, None);
            compute(&Dates { to: Some(to.parse().unwrap()), ..asked }).unwrap()["days"].clone()
        };
        assert_eq!(between("2026-02-28", "2026-03-01"), 1);
        assert_eq!(between("2026-03-01", "2024-03-01"), -730);
    }
}
