//! Exact arithmetic with decimal numbers: sums, differences, products and quotients of what is
//! written, never of a nearby binary fraction.

/// A longer expression is refused.
const BYTES_MAX: usize = 1000;
/// Brackets and signs nest at most so deep.
const DEPTH_MAX: u32 = 50;
/// A quotient that does not end is rounded to so many places.
const PLACES: u32 = 12;
/// More decimal places would not fit beside the places before the point.
const SCALE_MAX: u32 = 27;

/// A decimal number: `digits` × 10^-`scale`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Decimal {
    digits: i128,
    scale: u32,
}

/// What an expression comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Calculated {
    /// The number, without superfluous zeros unless a number of places was asked for.
    pub(crate) value: String,
    /// Whether it is exactly that.
    pub(crate) exact: bool,
}

/// Computes an expression; rounds, half to even, to `decimals` places where given.
///
/// # Errors
/// In words: what is wrong, and where.
pub(crate) fn calculate(expression: &str, decimals: Option<u32>) -> Result<Calculated, String> {
    if expression.len() > BYTES_MAX {
        return Err(format!("the expression is longer than {BYTES_MAX} bytes"));
    }
    if decimals.is_some_and(|places| places > PLACES) {
        return Err(format!("at most {PLACES} decimal places"));
    }
    let mut parser = Parser { text: expression, at: 0, depth: 0, exact: true };
    let value = parser.sum()?;
    parser.blanks();
    if parser.at < expression.len() {
        return Err(parser.wrong("an operator"));
    }
    let rounded = decimals.map(|places| value.rounded(places)).transpose()?;
    let exact = parser.exact && rounded.is_none_or(|rounded| rounded.reduced() == value.reduced());
    Ok(Calculated { value: rounded.unwrap_or_else(|| value.reduced()).shown(), exact })
}

impl Decimal {
    fn at_scale(self, scale: u32) -> Option<Decimal> {
        let factor = 10_i128.checked_pow(scale.checked_sub(self.scale)?)?;
        Some(Decimal { digits: self.digits.checked_mul(factor)?, scale })
    }

    fn plus(self, other: Decimal) -> Option<Decimal> {
        let scale = self.scale.max(other.scale);
        let (a, b) = (self.at_scale(scale)?, other.at_scale(scale)?);
        Some(Decimal { digits: a.digits.checked_add(b.digits)?, scale })
    }

    fn minus(self, other: Decimal) -> Option<Decimal> {
        self.plus(Decimal { digits: other.digits.checked_neg()?, ..other })
    }

    fn times(self, other: Decimal) -> Option<Decimal> {
        let (a, b) = (self.reduced(), other.reduced());
        let product =
            Decimal { digits: a.digits.checked_mul(b.digits)?, scale: a.scale + b.scale }.reduced();
        (product.scale <= SCALE_MAX).then_some(product)
    }

    /// The quotient, and whether it is exact.
    fn over(self, other: Decimal) -> Option<(Decimal, bool)> {
        let (a, b) = (self.reduced(), other.reduced());
        // One place more than is kept, to round by; a remainder counts as a bit more.
        let up = (PLACES + 1 + b.scale).checked_sub(a.scale)?;
        let top = a.digits.checked_mul(10_i128.checked_pow(up)?)?;
        let (quotient, rest) = (top.checked_div(b.digits)?, top.checked_rem(b.digits)?);
        if rest == 0 {
            return Some((Decimal { digits: quotient, scale: PLACES + 1 }.reduced(), true));
        }
        // Never exactly half: something is left over.
        let away = if quotient % 10 == 5 || quotient % 10 == -5 { quotient.signum() } else { 0 };
        let rough = Decimal { digits: quotient.checked_add(away)?, scale: PLACES + 1 };
        Some((rough.rounded(PLACES).ok()?, false))
    }

    /// Without zeros at the end.
    fn reduced(self) -> Decimal {
        let mut number = self;
        while number.scale > 0 && number.digits % 10 == 0 {
            number = Decimal { digits: number.digits / 10, scale: number.scale - 1 };
        }
        number
    }

    /// Rounded half to even.
    fn rounded(self, places: u32) -> Result<Decimal, String> {
        if self.scale <= places {
            return self.at_scale(places).ok_or_else(too_large);
        }
        let unit = 10_i128.checked_pow(self.scale - places).ok_or_else(too_large)?;
        let (whole, rest) = (self.digits / unit, (self.digits % unit).abs());
        let up = match (rest * 2).cmp(&unit) {
            std::cmp::Ordering::Less => false,
            std::cmp::Ordering::Equal => whole % 2 != 0,
            std::cmp::Ordering::Greater => true,
        };
        let digits = if up { whole + self.digits.signum() } else { whole };
        Ok(Decimal { digits, scale: places })
    }

    fn shown(self) -> String {
        let sign = if self.digits < 0 { "-" } else { "" };
        let scale = self.scale as usize;
        let digits = format!("{:0>width$}", self.digits.unsigned_abs(), width = scale + 1);
        let (whole, part) = digits.split_at(digits.len() - scale);
        match part {
            "" => format!("{sign}{whole}"),
            part => format!("{sign}{whole}.{part}"),
        }
    }
}

fn too_large() -> String {
    "a number becomes too large".to_owned()
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: u32,
    exact: bool,
}

impl Parser<'_> {
    fn blanks(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
    }

    fn next(&mut self) -> Option<char> {
        self.blanks();
        self.text[self.at..].chars().next()
    }

    /// Takes one of these signs.
    fn take(&mut self, signs: &[char]) -> Option<char> {
        let sign = self.next().filter(|sign| signs.contains(sign))?;
        self.at += sign.len_utf8();
        Some(sign)
    }

    fn wrong(&self, wanted: &str) -> String {
        match self.text[self.at..].chars().next() {
            Some(found) => format!("at byte {}: {wanted} is expected, not `{found}`", self.at),
            None => format!("at the end: {wanted} is expected"),
        }
    }

    fn sum(&mut self) -> Result<Decimal, String> {
        let mut value = self.product()?;
        while let Some(sign) = self.take(&['+', '-', '−']) {
            let other = self.product()?;
            let sum = if sign == '+' { value.plus(other) } else { value.minus(other) };
            value = sum.ok_or_else(too_large)?;
        }
        Ok(value)
    }

    fn product(&mut self) -> Result<Decimal, String> {
        let mut value = self.factor()?;
        while let Some(sign) = self.take(&['*', '/', '×', '·', '÷', ':']) {
            let other = self.factor()?;
            value = match sign {
                '*' | '×' | '·' => value.times(other).ok_or_else(too_large)?,
                _ if other.digits == 0 => return Err("nothing can be divided by 0".to_owned()),
                _ => {
                    let (quotient, exact) = value.over(other).ok_or_else(too_large)?;
                    self.exact &= exact;
                    quotient
                }
            };
        }
        Ok(value)
    }

    fn factor(&mut self) -> Result<Decimal, String> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(format!("brackets and signs nest deeper than {DEPTH_MAX}"));
        }
        let mut value = if self.take(&['-', '−']).is_some() {
            let value = self.factor()?;
            Decimal { digits: value.digits.checked_neg().ok_or_else(too_large)?, ..value }
        } else if self.take(&['(']).is_some() {
            let inside = self.sum()?;
            self.take(&[')']).ok_or_else(|| self.wrong("`)`"))?;
            inside
        } else {
            self.number()?
        };
        self.depth -= 1;
        while self.take(&['%']).is_some() {
            value = value.times(Decimal { digits: 1, scale: 2 }).ok_or_else(too_large)?;
        }
        Ok(value)
    }

    /// Digits with one point; apostrophes between digits are thousands marks.
    fn number(&mut self) -> Result<Decimal, String> {
        self.blanks();
        let (mut digits, mut scale, mut point, mut any) = (0_i128, 0, false, false);
        while let Some(sign) = self.text[self.at..].chars().next() {
            match sign {
                '0'..='9' => {
                    let digit = i128::from(sign as u8 - b'0');
                    digits = digits
                        .checked_mul(10)
                        .and_then(|digits| digits.checked_add(digit))
                        .ok_or_else(too_large)?;
                    scale += u32::from(point);
                    any = true;
                }
                '.' if !point => point = true,
                '\'' | '’' if any && !point => {}
                _ => break,
            }
            self.at += sign.len_utf8();
        }
        match any && scale <= SCALE_MAX {
            true => Ok(Decimal { digits, scale }),
            false => Err(self.wrong("a number")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(expression: &str) -> String {
        calculate(expression, None).unwrap().value
    }

    #[test]
    fn decimals_are_exact() {
        assert_eq!(value("0.1 + 0.2"), "0.3");
        assert_eq!(value("3 × 12.50"), "37.5");
        assert_eq!(value("1'234.50 - 0.5"), "1234");
        assert_eq!(value("-(2 - 5) * 2"), "6");
        assert_eq!(value("200 * 8.1%"), "16.2");
        assert_eq!(value("1 / 8"), "0.125");
        assert_eq!(value("2 + 3 * 4 - 10 / 4"), "11.5");
        assert_eq!(value("0.000001 * 0.000001"), "0.000000000001");
    }

    #[test]
    fn what_does_not_end_is_rounded_and_says_so() {
        let third = calculate("1 / 3", None).unwrap();
        assert_eq!((third.value.as_str(), third.exact), ("0.333333333333", false));
        let rounded = |text, places| calculate(text, Some(places)).unwrap();
        assert_eq!(rounded("2.345", 2).value, "2.34");
        assert_eq!(rounded("2.355", 2).value, "2.36");
        assert_eq!(rounded("-2.345", 2).value, "-2.34");
        assert!(!rounded("2.345", 2).exact && rounded("2.3", 2).exact);
        assert_eq!(rounded("2.3", 2).value, "2.30");
        assert_eq!(rounded("2 / 3", 2).value, "0.67");
    }

    #[test]
    fn what_is_no_arithmetic_is_refused() {
        for (text, why) in [
            ("", "a number"),
            ("1 +", "a number"),
            ("1 / 0", "divided by 0"),
            ("(1", "`)`"),
            ("1 2", "an operator"),
            ("__import__('os')", "a number"),
            ("2 ** 3", "a number"),
            ("9999999999 * 9999999999 * 9999999999 * 9999999999 * 9999999999", "too large"),
        ] {
            let refused = calculate(text, None).unwrap_err();
            assert!(refused.contains(why), "{text}: {refused}");
        }
        assert!(calculate(&"(".repeat(900), None).is_err());
        assert!(calculate(&"-".repeat(900), None).is_err());
        assert!(calculate(&"1".repeat(2000), None).is_err());
    }
}
