//! Words that turn a question away from what looks like its answer: negations, opposites,
//! and words that single out. Folded.

use allod_corpus::Language;

const NEGATIONS: [&str; 5] = [
    "nicht nie niemals kein keine keinen keinem keiner keines nichts ohne niemand weder ausser",
    "pas jamais aucun aucune ni sans rien nul nulle sauf",
    "non nessun nessuno nessuna mai senza niente tranne",
    "betg nagin nagina nagins naginas senza mai nagut",
    "not no never without none nor neither cannot nobody nothing isn wasn aren weren don doesn \
     didn hasn haven hadn won wouldn couldn shouldn t unable failed fail fails lacked lack \
     except refused non unlike excluding",
];

/// Words that single one thing out of many.
const SINGLING: [&str; 5] = [
    "erste ersten erster letzte letzten letzter einzige einzigen nur meisten wenigsten grosste \
     grossten kleinste hochste hochsten alteste jungste alle jeder immer",
    "premier premiere dernier derniere seul seule uniquement plus moins tous toujours chaque",
    "primo prima ultimo ultima solo unico unica piu meno tutti sempre ogni",
    "emprim emprima ultim ultima sulet suletta tuts adina mintga",
    "first last only most least largest smallest highest lowest oldest youngest newest earliest \
     latest best worst all every always second third final initial sole fewer more less longest \
     shortest main primary original greatest fewest",
];

const OPPOSITES: [&[(&str, &str)]; 5] = [DE, FR, IT, RM, EN];
const DE: &[(&str, &str)] = &[
    ("vor", "nach"),
    ("mehr", "weniger"),
    (
        "offen geoffnet offnet offnen offnung offnungszeit offnungszeiten",
        "geschlossen schliesst schliessen schliessung",
    ),
    ("steigt erhoht anstieg zunahme", "sinkt gesenkt abnahme ruckgang"),
    ("mit", "ohne"),
    ("erlaubt gestattet zulassig", "verboten untersagt unzulassig"),
    ("grosste grossten", "kleinste kleinsten"),
    ("erste ersten", "letzte letzten"),
    ("hochste hochsten", "niedrigste tiefste"),
    ("alt alteste", "neu neueste jungste"),
    ("nord norden nordlich", "sud suden sudlich"),
    ("ost osten ostlich", "west westen westlich"),
    ("beginn begann anfang", "ende endete"),
];
const FR: &[(&str, &str)] = &[
    ("plus", "moins"),
    ("avant", "apres"),
    ("avec", "sans"),
    ("minimum", "maximum"),
    ("ouvert ouverte ouvre ouvrent ouverture", "ferme fermee ferment fermeture"),
    ("autorise permis", "interdit defendu"),
    ("premier premiere", "dernier derniere"),
    ("augmente augmentation", "diminue diminution"),
    ("nord", "sud"),
    ("est", "ouest"),
    ("debut commence", "fin termine"),
];
const IT: &[(&str, &str)] = &[
    ("prima", "dopo"),
    ("con", "senza"),
    ("minimo", "massimo"),
    ("piu", "meno"),
    ("aperto aperta apre aprono apertura", "chiuso chiusa chiude chiudono chiusura"),
    ("ammesso permesso", "vietato proibito"),
    ("primo", "ultimo"),
    ("aumento aumenta", "diminuzione diminuisce"),
    ("nord settentrionale", "sud meridionale"),
    ("est orientale", "ovest occidentale"),
    ("inizio", "fine"),
];
const RM: &[(&str, &str)] = &[
    ("avant", "suenter"),
    ("cun", "senza"),
    ("avert averta avra avertura", "serra serrada serran serrada"),
    ("lubi permess", "scumanda scumandada"),
    ("dapli pli", "damain main"),
];
const EN: &[(&str, &str)] = &[
    ("before prior earlier", "after later following since"),
    ("with", "without"),
    ("least minimum fewest smallest lowest", "most maximum largest highest greatest biggest"),
    ("more greater higher larger bigger", "less fewer lower smaller"),
    ("open opened opens opening", "closed close closes closing closure"),
    ("allowed permitted legal allow", "forbidden prohibited banned illegal disallowed prohibit"),
    ("included including", "excluded excluding"),
    (
        "increase increased increases rise rose grew growth",
        "decrease decreased reduce reduced \
      decreases fall fell decline declined drop dropped",
    ),
    ("first earliest oldest", "last latest newest youngest final"),
    ("north northern", "south southern"),
    ("east eastern", "west western"),
    ("begin began start started begun", "end ended stop stopped finish finished"),
    ("win won winning", "lose lost losing"),
    ("strong stronger strongest", "weak weaker weakest"),
    ("hot warm", "cold cool"),
    ("fast faster quick", "slow slower"),
    ("easy easier simple", "hard harder difficult complex"),
    ("public", "private"),
    ("internal inside inner", "external outside outer"),
    ("positive", "negative"),
    ("active", "inactive passive"),
    ("large big", "small little"),
    ("long longer", "short shorter"),
    ("old", "new young"),
    ("rich wealthy", "poor"),
    ("support supported supports", "oppose opposed opposes"),
    ("accept accepted", "reject rejected refuse refused"),
    ("male men", "female women"),
    ("buy bought", "sell sold"),
    ("import imported imports", "export exported exports"),
    ("finite", "infinite"),
    ("common", "rare uncommon"),
    ("high", "low"),
    ("early", "late"),
    ("same", "different"),
    ("major majority", "minor minority"),
    ("deterministic", "nondeterministic non"),
    ("known", "unknown"),
    ("direct", "indirect"),
    ("formal", "informal"),
    ("equal", "unequal"),
    ("innate", "adaptive"),
    ("urban", "rural"),
    ("upper", "lower"),
    ("left", "right"),
    ("give gave given", "take took taken"),
    ("join joined", "leave left"),
    ("create created", "destroy destroyed"),
];

/// Where lists of words of five languages have those of one.
pub(super) fn column(language: Language) -> Option<usize> {
    match language {
        Language::De => Some(0),
        Language::Fr => Some(1),
        Language::It => Some(2),
        Language::Rm => Some(3),
        Language::En => Some(4),
        _ => None,
    }
}

/// Whether a list of words has one.
pub(super) fn in_list(list: &str, folded: &str) -> bool {
    list.split_whitespace().any(|word| word == folded)
}

/// Whether the word denies.
pub(super) fn denies(folded: &str, language: Language) -> bool {
    column(language).is_some_and(|at| in_list(NEGATIONS[at], folded))
}

/// Whether the word singles one thing out: `first`, `only`, `largest`.
pub(super) fn singles_out(folded: &str, language: Language) -> bool {
    column(language).is_some_and(|at| in_list(SINGLING[at], folded))
}

/// Whether two words exclude each other.
pub(super) fn opposed(one: &str, other: &str, language: Language) -> bool {
    let pairs = column(language).map_or(&[][..], |at| OPPOSITES[at]);
    let pair = |(a, b): &(&str, &str)| {
        (in_list(a, one) && in_list(b, other)) || (in_list(b, one) && in_list(a, other))
    };
    pairs.iter().any(pair) || prefixed(one, other) || prefixed(other, one)
}

/// `unlawful` beside `lawful`.
fn prefixed(long: &str, short: &str) -> bool {
    const PREFIXES: [&str; 6] = ["un", "in", "im", "non", "dis", "il"];
    short.len() > 4 && PREFIXES.iter().any(|prefix| long.strip_prefix(prefix) == Some(short))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opposites_go_both_ways() {
        assert!(
            opposed("before", "after", Language::En) && opposed("after", "before", Language::En)
        );
        assert!(opposed("unlawful", "lawful", Language::En));
        assert!(
            !opposed("before", "prior", Language::En) && !opposed("vor", "after", Language::De)
        );
    }

    #[test]
    fn each_language_denies_in_its_words() {
        for (word, language) in
            [("nicht", Language::De), ("pas", Language::Fr), ("betg", Language::Rm)]
        {
            assert!(denies(word, language) && !denies(word, Language::En), "{word}");
        }
        assert!(singles_out("only", Language::En) && singles_out("primo", Language::It));
    }
}
