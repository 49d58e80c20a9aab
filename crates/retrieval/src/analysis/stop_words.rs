//! Words that say little: stop words are left out of the index and of questions, weak words count
//! little in a question.

use allod_corpus::Language;
use std::collections::HashSet;
use std::sync::LazyLock;

/// Whether a folded word is a stop word of the language (or of any, where the language is unknown).
#[must_use]
pub fn is_stop_word(folded: &str, language: Language) -> bool {
    contains(&STOP_WORDS, folded, language)
}

/// Whether a folded word of a question says more about the kind of answer than about its subject
/// (`kostet`, `dois`, `need`).
#[must_use]
pub fn is_weak_word(folded: &str, language: Language) -> bool {
    contains(&WEAK_WORDS, folded, language)
}

type Sets = LazyLock<[HashSet<&'static str>; 5]>;

static STOP_WORDS: Sets = LazyLock::new(|| [DE, FR, IT, RM, EN].map(set));
static WEAK_WORDS: Sets = LazyLock::new(|| [WEAK_DE, WEAK_FR, WEAK_IT, WEAK_RM, WEAK_EN].map(set));

fn set(words: &'static str) -> HashSet<&'static str> {
    words.split_whitespace().collect()
}

fn contains(sets: &[HashSet<&'static str>; 5], folded: &str, language: Language) -> bool {
    match language {
        Language::De => sets[0].contains(folded),
        Language::Fr => sets[1].contains(folded),
        Language::It => sets[2].contains(folded),
        Language::Rm => sets[3].contains(folded),
        Language::En => sets[4].contains(folded),
        _ => sets.iter().any(|set| set.contains(folded)),
    }
}

const DE: &str = "aber alle allem allen aller alles als also am an ander andere anderen anderer \
anderes auch auf aus bei beim bin bis bist da dabei dafur daher damit danach dann daran darauf daraus \
darf das dass davon dazu dein deine dem den denn der deren des dessen desto dich die dies diese diesem \
diesen dieser dieses dir doch dort du durch ein eine einem einen einer eines einige einiger er es etwas \
euch euer eure falls fur gegen gibt habe haben hat hatte hatten her hier hin hinter ich ihm ihn ihnen ihr \
ihre ihrem ihren ihrer ihres im in indem innert ins ist ja je jede jedem jeden jeder jedes jedoch jene jenem \
jenen jener jenes kann kein keine keinem keinen keiner konnen konnte lasst lassen ma man mein meine meinem \
meinen meiner meines mich mir mit mochte muss mussen musst nach nicht nichts noch nun nur ob oder ohne pro \
sehr seid sein seine seinem seinen seiner seines sich sie sind so sofern solche solchem solchen solcher soll \
sollen sondern sonst soweit sowie uber um und uns unser unsere unserem unseren unter vom von vor wahrend wann \
war waren warum was weil welche welchem welchen welcher welches wem wen wenn wer werde werden wessen wie \
wieso will wir wird wo wofur wogegen woher wohin womit woran worden worin woruber wozu wurde wurden zu zum \
zur zwischen b z a c d e f bzw usw allfallig allfallige jeweils bereits dar ab abs art \
heute aktuell derzeit momentan zurzeit jetzt bitte manchmal uberhaupt eigentlich genau";

const FR: &str = "a ai alors apres as au aucun aucune aussi autre autres aux avant avec avez avoir avons \
c ca car ce ceci cela celle celles celui ces cet cette ceux chaque chez ci comme comment contre d dans de des du \
donc dont elle elles en encore entre envers es est et etaient etait etant ete etes etre eu eux fait faut il \
ils j je jusqu jusque l la laquelle le lequel les lesquelles lesquels leur leurs lors lorsqu lorsque lui m ma mais me \
meme memes mes moi moins mon n ne ni non nos notre nous on ont ou oui par parce pas pendant peu peut peuvent \
peux pour pourquoi pourra puis puisqu puisque qu quand que quel quelle quelles quels qui quoi quoiqu s sa sans sauf se selon \
sera seront ses si soi soit son sont sous suis sur t ta te tes toi ton tous tout toute toutes tres tu un une \
vers voici voila vos votre vous y combien doit doivent dois est-ce afin ainsi al art \
aujourd hui actuellement maintenant svp";

const IT: &str = "a abbia abbiamo ad agli ai al all alla alle allo altra altre altri altro anche ancora avere \
aveva c che chi ci cio co coi col come con contro cosa cui d da dagli dai dal dall dalla dalle dallo \
deg degli dei del dell della delle dello deve devono devo di dopo dove e ed egli ella era erano essa esse essere \
essi est fa fra fino gli ha hai hanno ho i il in io l la le lei li lo loro lui ma mediante mi mia mie miei mio \
ne negli nei nel nell nella nelle nello noi non nostra nostre nostri nostro o od ogni oltre oppure per \
perche pero piu po poi puo possono posso prima qual quale quali quando quanta quante quanti quanto quella quelle \
quelli quello quell questa queste questi questo quest qui s sara saranno se sei senza si sia siano sono sopra \
sotto sta stata state stati stato su sua sue sugli sui sul sull sulla sulle sullo suo suoi t ti tra tu tua tue \
tuo tuoi tutta tutte tutti tutto un una uno v vi voi vostra vostre vostri vostro quant dov com dev cpv art \
oggi attualmente adesso";

const RM: &str = "a ad als al alla anc avant che chi cun cur co cura cunter d da dad dal dals dalla dallas das \
dapi davant davart de denter ed e el ella ellas els en er es esser essan eri era eran fin ha hai han havair \
ils il in ina inanzi ins intgin intgins intginas jau l la las lez lezza ma mai mes mia mintga na nagin nagina nagins naginas \
nua nun nunche u ubain om per pertge plirs pli pudair po pon poss quai quel quels quella quellas quant quanta quants quantas \
quest quests questa questas s sa sias sia siu ses sch se senza ses si sin sia sun sut suenter sulet stat sto ston stuair \
tar tant te tge tgi tgenin tgenina tgeninas tgenins tras tranter tut tuts tutta tuttas u ubain usch vegn vegnan vegnir vus nus ti tia tes vi \
vossa voss vos noss nossa sco sper daventar art al abs gea betg \
oz actualmain ussa";

const EN: &str = "a about after all also am an and any are as at be because been before being between \
both but by can could did do does doing don down during each every few for from further get had has have having he her here \
hers him his how i if in into is it its itself just me more most my no nor not now of off on once only or other \
our ours out over own per s same shall she should so some such t than that the their theirs them then there \
these they this those through to too under until up upon us very was we were what when where which while who \
whom whose why will with within without would you your yours many much must may might long ll ve re d m \
today currently please really actually";

const WEAK_DE: &str = "kosten kostet koste betragt betragen hoch teuer preis viel viele lange lang oft \
gross geht gehen bekomme bekommen bekommt erhalte erhalten erhalt brauche brauchen braucht benotige benotigt \
mache machen macht tun gelten gilt finde finden findet findest steht stehen stellen stellt geben gebe ge zustandig wichtig \
darf durfen mussen bezahlen bezahle zahlen zahle zahlt zahlen heisst heissen genau eigentlich vorgesehen \
gibt moglich moglichkeit frage personen leute jemand person gemeinde pradaval jahr jahre tag tage frist zeit \
spatestens mindestens hochstens maximal bestimmt fallig kann erlaubt \
komme kommt kommen gekommen nehme nehmen nimmt genommen sehe sehen sieht wohne wohnen wohnt lebe leben lebt \
arbeite arbeiten arbeitet gearbeitet verdiene verdienen verdient spreche sprechen spricht gesprochen sage sagen gesagt \
bringe bringen bringt mitbringen mitnehmen halte halten haltet lasse lassen beginne beginnt passiert passieren \
geschieht schon erst zusammen ganz ganze ganzer ganzes ganzen neu neue neuen neuer neues wenn dafur grosse grosser \
klein kleine kleinen gut beste besser spat fruh vorher nachher insgesamt rund etwa circa selber selbst eigene eigenen \
wissen weiss wunsche braucht verlangt verlangen notig notwendig erforderlich vorweisen vorlegen einreichen geld \
gerne sonstige anderes mal immer nie oft selten verwendet verwenden benutzen benutzt";
const WEAK_FR: &str = "coute couter coutent prix montant paie payer paye payent long longtemps temps delai \
faire fais fait avoir obtenir obtient recevoir recoit besoin trouve trouver trouvent faut falloir dit prevoit \
prevu possible peut-on quelqu personne personnes gens commune pradaval an ans annee jour jours fois valable \
doit devoir puis-je permis maximum minimum combien eleve eleve existe y-a-t \
va vais aller vient venir prendre prend prends met mettre donner donne passer passe passe-t arrive arriver rester \
reste habite habiter vivre travailler travaille gagner demander savoir veux voudrais vouloir droit exige exiger \
nouveau nouvelle nouveaux nouvelles grand grande petit petite bon bonne meilleur tard tot deja encore environ \
argent ensemble toujours jamais souvent utiliser utilise seul seule propre necessaire apporter amener";
const WEAK_IT: &str = "costa costano costo prezzo importo pagare paga pago tempo termine fare faccio fa \
ottenere ottengo ottiene ricevere ricevo riceve serve servono bisogna occorre trovo trovare trova trovano \
previsto possibile qualcuno persona persone comune pradaval anno anni giorno giorni volta volte ammonta valido \
massimo minimo esiste dura durata \
vado va andare viene venire prendere prende dare da mettere succede succedere accade restare abito abitare vivere \
lavorare lavora sapere voglio vorrei volere diritto richiesto esige nuovo nuova nuovi nuove grande piccolo piccola piccoli \
buono tardi presto gia ancora circa soldi denaro insieme sempre spesso usare usa usato necessario portare dire";
const WEAK_RM: &str = "custa custan custs pretsch import pajar paja pajan temp termin far fatsch retschaiver \
survegnir survegn survegnan dovra dovran chattar chat chatta chattan pussaivel persuna persunas vischnanca pradaval onn onns di \
dis giada giadas vala valan maximal minimal datti dat munta ditg daditg \
va ir vegnir prender dar metter restar abitar viver lavurar savair vuless dretg nov nova novs novas grond gronda grondas pitschen \
pitschna bun tard baud gia anc daners ensemen adina savens duvrar insatge insatgi ins necessari purtar dir datti";
const WEAK_EN: &str = "cost costs price amount pay paid paying long time deadline make need needs needed get \
obtain receive receives find found possible someone person people anyone municipality pradaval year years day \
days times valid apply applies maximum minimum allowed take takes exist offer want tell go know \
come comes give gives put happen happens stay live lives living work works working say says bring use uses used using \
new big large small good best late early already still about money together always often right required require \
requires necessary ask asks see look start one ones thing things way many";
