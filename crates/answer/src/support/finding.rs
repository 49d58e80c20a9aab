//! What speaks against a sentence.

/// The kinds of grounds; each is a feature of the classifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ground {
    /// A number, sum, date or unit that the cited text does not hold.
    MissingFigure,
    /// Another figure stands where the sentence has this one.
    OtherFigure,
    /// The figure stands in the cited text, but belongs to something else there.
    MovedFigure,
    /// `at least` for `at most`.
    LimitTurned,
    /// A limit that only one of the two has.
    LimitChanged,
    /// An article that the cited text does not name.
    Reference,
    /// The one denies what the other affirms.
    Negation,
    /// A negation that cannot be laid upon a word of the other.
    NegationLoose,
    /// A duty for a choice.
    Modality,
    /// A choice that only one of the two has.
    ModalityLoose,
    /// `need not` for `must not`.
    Exemption,
    /// `all` for `some`.
    Quantifier,
    /// `only` or `all` in one of the two.
    QuantifierLoose,
    /// A word for its opposite.
    Opposite,
    /// A name that the cited text does not hold.
    Name,
    /// A party that the cited sentence does not speak of.
    Party,
    /// Another party in the place of this one.
    OtherParty,
    /// Another noun in the place of this one.
    OtherNoun,
    /// Another word in the place of this one.
    OtherWord,
    /// Who does and who suffers are swapped.
    Roles,
    /// The condition of the cited sentence is left out.
    Condition,
    /// A small word that decides, put in or left out of a sentence that is taken over otherwise.
    Slip,
    /// The sentence says of what the cited text says that it does not hold.
    Untrue,
}

impl Ground {
    /// How many there are.
    pub(super) const COUNT: usize = Ground::Untrue as usize + 1;

    /// Whether it says that the cited text says something else, not only that it does not say it.
    pub(super) fn contradicts(self) -> bool {
        !matches!(
            self,
            Ground::MissingFigure
                | Ground::LimitChanged
                | Ground::Reference
                | Ground::NegationLoose
                | Ground::ModalityLoose
                | Ground::QuantifierLoose
                | Ground::Name
                | Ground::Party
                | Ground::OtherNoun
                | Ground::OtherWord
                | Ground::Condition
        )
    }
}

/// One thing that speaks against a sentence.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Finding {
    pub(super) ground: Ground,
    /// How clearly, 0 to 1.
    pub(super) strength: f64,
    /// In words, for the record.
    pub(super) because: String,
}

impl Finding {
    pub(super) fn new(ground: Ground, strength: f64, because: impl Into<String>) -> Finding {
        Finding { ground, strength, because: because.into() }
    }
}
