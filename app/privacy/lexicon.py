"""Which words are names of people, and which of those are words of every day too.

The names are those of Faker's lists for the countries where the conversations take place and for those from which
many of their people came. Words of every day were counted in the training split; they count as names only where
something beside them says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import import_module

from app.core.common_words import ENGLISH
from app.core.text import fold
from app.privacy.spoken import words_of

_LOCALES = (
    "en", "en_US", "en_GB", "en_IE", "en_IN", "en_KE", "en_NG", "en_NZ", "en_PK", "zu_ZA", "yo_NG", "ig_NG", "ha_NG",
    "sw", "tw_GH", "ga_IE", "es", "es_MX", "fr_FR", "de_DE", "it_IT", "nl_NL", "pl_PL", "pt_BR", "vi_VN",
    "id_ID", "tr_TR",
)  # fmt: skip
_SHORTEST = 3
_ORDINARY = words_of("""
    a ace add ah alex almond amma among an angel arch archer aroha art arvo as autumn baba babe baby bail baker bale
    ball banks barber bare basil bass bath bean beard bee beer bell bender bento best bill bins bird bishop black
    blessing block bob bond bonnet booth bore boss brain branch brand brick bridge bridges bright brown buck bud
    buddy bull bunk burns bush butler canal cant cap captain carry carter carton case cash chai champ chance char
    charity chase cherry chin china chip church clay clear cliff coll comfort con contractor convey cook cooper
    council cousin cousins crane cross cruise curry da daisy dale dam dare darl dash date dawn day dean deep den
    diamond dick die doc dock doctor doll dot drew dries drum duke each early echo edit elder else ever fair fairy
    faith fall fancy farmer fed fee ferry field fields fisher fleet flood floor flowers foot ford forum fox frank
    freely fresh friend frost fry fuller fundi gala gamble gates gauge gay general geo ginger glass glasses glen
    golden good grace grand grant gray green grey gross guard gunner guy ha haan hale hall ham hand handy harambee
    harm harper hay heath heaven hence herd hide hill hills ho holder hood hook hoover hope hor horn house hung
    hunter hurley infant iris ivory jet jewel job journey joy judge junior junk kai kar key kick kidney killer king
    kit kitty lad lady lamb lan lane law lawyer less levy liberty lily link lips little lola lone long lot love
    lovey low lower loyal lucky mace mad made major male mall man mandi margarita mark marks marry mart mason mast
    master mat math may media meg merchant mercy metro mil miles mills minor miracle moan monks moon moore more
    mountain na nail nana nat noble north o oak olive oral orange orchard over pace page pages pal pandit parent
    park parker parkin parks pastor pat patience paz peace pearl peer penny pepper pierce pink piper pleasant porter
    post potter power precious press price prince princess prosper puck queen rails rand ray read reader reason red
    rice rich ring river rivers roach rock rod roll room rose rowan royal ruddy rush rust rusty sad sage said saint
    sales sandy sang sawyer sellers server seven shade sharp shine short side silver sim sincere sing sister skip
    sky small smart snow sol sole son spring stack star steer sterling stone storey storm story street strong sue
    summer summers sunny tab tailor tank tanner taylor tea telly thatcher the ties till tiny toner too tours trace
    true tu turner ty unknown unnamed us ute val van vance violet wage walker wall walls ward warmer wash water
    waters watt watts way weeks wells were west wheeler white will wills wing winter winters wise wood woods worth
    wren yen yoga young
    """)
_TIMES_AND_PLACES = words_of("""
    monday tuesday wednesday thursday friday saturday sunday january february march april may june july august september
    october november december jan feb mar apr jun jul aug sep sept oct nov dec christmas easter diwali eid ramadan
    london paris austin dallas houston phoenix madison lincoln florence sydney brooklyn memphis georgia virginia
    carolina
    savannah kenya india asia america ireland israel jordan china chad cuba africa europe england scotland wales france
    german germany italy spain holland canada australia zealand singapore manila cebu nairobi mombasa lagos pune delhi
    mumbai chennai kerala devon kent york lancaster bradford burton preston carlisle chester durham derby lincoln leeds
    milan verona vienna geneva odessa ontario alberta regina orlando charlotte aurora denver raleigh camden trenton
    salem
    hudson berlin dublin cork galway kerry clare mayo meath limerick perth darwin adelaide hobart victoria wellington
    nelson napier hamilton hastings durban soweto pretoria stellenbosch kingston paisley stirling windsor sterling
    english irish scottish welsh french spanish dutch indian african american asian kiwi british european
    max dev emi emis aid alto savanna levin gold legal life body isa ai
    mercedes kia lexus alexa siri porsche ford honda toyota audi tesla shell apple google netflix visa amex swift zoom
    god jesus christ santa lord allah islam muslim hindu christian catholic jewish
    ok okay hi hello hey yes yeah yep nope dear sir madam maam ma'am sire mate bro boss buddy baba mama mum mom dad papa
    nana aunty auntie uncle brother sister bhai didi anna amma akka thanks thank kia ora namaste sawa karibu asante pole
    """)


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Folded, lower-case words: names, those of every day (`ordinary`), and of these those never names (`never`)."""

    given: frozenset[str]
    family: frozenset[str]
    ordinary: frozenset[str]
    never: frozenset[str]

    def is_name(self, word: str) -> bool:
        """Whether it is a given name and nothing else."""
        return word in self.given

    def means_else(self, word: str) -> bool:
        """Whether it is a word of every day, a time or a place."""
        return word in self.ordinary


def _folded(name: str) -> str:
    return fold(name).text.lower()


@cache
def lexicon() -> Lexicon:
    """All names that are known; read at the first call, in some 0.3 s."""
    given: set[str] = set()
    family: set[str] = set()
    for locale in _LOCALES:
        provider = import_module(f"faker.providers.person.{locale}").Provider
        for attribute in dir(provider):
            names = getattr(provider, attribute)
            if callable(names) or not attribute.startswith(("first_name", "last_name")):
                continue
            into = given if attribute.startswith("first_name") else family
            into.update(part for name in names if isinstance(name, str) for part in _folded(name).split())
    ordinary = _ORDINARY | ENGLISH | _TIMES_AND_PLACES
    known = {name for name in given if len(name) >= _SHORTEST and name.isascii()}
    return Lexicon(frozenset(known - ordinary), frozenset(family - ordinary), ordinary, ENGLISH | _TIMES_AND_PLACES)
