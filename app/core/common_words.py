"""Words by which English is told from other languages, folded as `app.core.text` folds: lower case, no accents.

They are a judgement of ours, made without a table of frequencies. What is alike in English and another language is
in neither: `um`, `sim`, `la`, `was`, `no`.
"""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# The commonest words of English calls and chats, most of which no other language writes alike.
ENGLISH = _words(
    """
    able about accept account activate activated actually add address afternoon again ago agree agreed all already
    always amount and another any anyone anything anyway anywhere apartment apply approved are ask asked assist
    available avenue away back bank because been before behind being better between big bill bit block book books
    both bought box bring broken brother buy buying bye call called calling calls came can cancel cancelled cannot
    cant car card careful cash caught change charge check cheque choose city claim class clear close code comes
    comfortable coming complete confirm confirmed contact contract correct cost costs could cover credit customer
    cut daughter day days deal dear deliver delivered delivery deposit details did didnt difference different
    discount does doesnt doing dollar dollars done dont door dot down each early easy eight eighteen eighty either
    eleven else email end enough even evening ever every everyone everything exactly expensive explain extra family
    father fees fifteen fifty file filled find fine first fit five fix fixed flat floor follow follows for forget
    form forty forward four fourteen free friday friend from full gave get gets getting give given go goes going
    gone gonna good got great guarantee guaranteed had half hang happy hard have having hear heard heavy hello help
    her here hey hi hidden him his hold home honest honestly hope hospital hour hours house how hundred hung husband
    i im include included income increase inside installed insurance interest interested into invoice issue it item
    its ive job july june just keep keeping kids kind kitchen know lane last late later least leave left less let
    lets letter like line list little live loan lock long look looking lose loss lost lot love lovely lower ma'am
    made mail make manager many maybe mean means might mind minute minutes miss missed model monday money month
    monthly months more morning mother moved moving mrs much must my nah name near need needed needs never new next
    nice night nights nine nineteen ninety nobody not note nothing notice now number off offer offered office ok
    okay old once one only open option order ordered original other our ours out own owner package page paid paper
    part passed pay paying payment pcs pension people percent perfect person phone pick picked piece place please
    pls plus point policy pound pounds present press price probably problem product promise provide pull purchase
    put question quick quite quote rate rather reach read ready real really reason receive received recommend refund
    refundable renew renewal rent repair replace reply request required review right risk road room safe same sat
    saturday save saved savings saw say saying says school screen second see seem seen sell selling send sending
    sent service set seven seventeen seventy shall she ship shipped shipping shop short should show sign signed
    simple since sister sit six sixteen sixty sleep slow small sold some somebody someone something son soon sorry
    sort sounds speak spell standard start started stay still stock stop stopped store street stuck stuff such
    sunday support sure system take taken takes talk tax team tell ten terms text than thank thanks that thats the
    their them then there theres these they thing things think thinking third thirteen thirty this those though
    thought thousand three through thursday till time times tired to today together told tomorrow tonight too top
    total trouble trust try trying tuesday turn twelve twenty twice two type under understand understood unless
    until up update upgrade us use used using value very visit wait waiting walk wanna want wanted warranty water
    way website wednesday week weekend weeks welcome well went were what whatever whats when where which while who
    whole why wife window wish with without word work working works worry worth would write written wrong yeah year
    years yep yes yesterday yet you your youre yours yourself zero zip
    """
)

# The commonest words of other languages that English callers hardly say: of Spanish, Portuguese, French, Italian,
# German, Dutch, Afrikaans, Scandinavian ones, Polish, Czech, Romanian, Hungarian, Finnish, Turkish, Indonesian and
# Malay, Tagalog, Swahili, Zulu, Vietnamese and Hindi in Latin letters, in this order; a word stands with the first.
FOREIGN = _words(
    """
    que es una por para con pero si su lo mi como esta usted muy todo gracias hola este algo bueno buenos buenas
    quiero tiene puede cuando donde porque nos eso hay soy estoy senor senora cuanto cuesta ahora necesito mes bien
    nao uma voce senhor senhora mais isso ola obrigado obrigada bom tem pode quero sua seu meu minha muito tudo eu
    aqui boa tarde preciso agora fica quanto custa posso reais les des je vous nous est qui un et pas avec votre ce
    cette dans oui non bonjour merci tres suis avez peut sur sont notre etes voulez combien c'est j'ai n'est
    d'accord prix mois aujourd'hui ca che il gli della anche piu questo questa buongiorno grazie vorrei ho lei suo
    nel alla perche quando bene sono signora signore allora euro mese oggi ci abbiamo die der das ist nicht und ich
    sie ein eine einen zu mit auf fur von dem wir haben ihnen ihr ihre kann wie aber auch noch nur wenn dass sind
    mir mich bei oder ja nein bitte danke guten sehr schon jetzt hier diese monat habe het een dat niet voor zijn ik
    jij naar ook maar bij nog wel deze dit kunt heeft hebben graag dank alstublieft goedemorgen goedemiddag wij uw
    te en om geen wat hoe mijn meneer mevrouw maand nu bent nie ek jy vir ons moet sal baie asseblief dankie hierdie
    jou waar och det att jag som inte den ditt pa forsta har ett vi hej tack nej vill din skulle vad hur manad ar
    kronor bara mycket jeg ikke og til tak takk hva hvad skal mig dig meg deg noe noget hvor jest czy dla jak ale bo
    jesli czym moge chce albo gdy tego pani prosze dziekuje dzien dobry moze mam jestem od ze na przez juz tylko
    jaka ile bede teraz panu zlotych miesiac miesiecznie se ano pro jsem mate prosim dekuji ktery jsme jako nebo
    kolik mesicne korun muzu pentru cu mai buna ziua multumesc vreau dumneavoastra pe care sunt daca foarte sa acum
    cat luna az egy nem hogy ez kerem koszonom jo napot igen csak mert lehet nekem onnek mennyi most forint havonta
    ei etta han mina olen niin mutta kun tai kiitos hyvaa paivaa voi teille voin tama myos mita nyt kuukaudessa bir
    ve bu icin ne cok var yok evet hayir merhaba tesekkurler efendim ben size bana daha ama gibi degil nasil kadar
    için kac lira ayda simdi iyi gunler bey hanim yang dan ini itu untuk tidak dengan saya anda kami bisa ada akan
    sudah apa dari pak ibu terima kasih juga atau bapak harga bulan kalau mau belum nak boleh awak encik berapa
    selamat pagi sekarang di ang ng po opo mga ako ikaw ka ko siya tayo namin natin ninyo kayo hindi oo kasi naman
    rin kung yung nyo ba wala dito ito iyan gusto magkano salamat magandang ngayon niyo ay wa kwa hii hiyo yako
    yangu yake mimi wewe sisi ndiyo hapana sana tafadhali asante karibu ngapi nataka lakini kama pia katika hapa
    kesho nini gani kila mwezi wako wangu simu habari shilingi sasa ngiyabonga sawubona yebo ukuthi kodwa ngoba wena
    manje kakhulu futhi toi anh chi khong cua cho nay duoc mot nhung vang roi ban minh em rat xin chao nhu bao nhieu
    thang goi muon gia dong nghin hai ki ke mein aap nahi haan ji kya yeh toh bhi liye kar raha rahe hoon mera aapka
    aapko apna aur ab abhi acha accha theek karo hota gaya woh kuch mujhe humara hum kitna namaste chahiye
    """
)
