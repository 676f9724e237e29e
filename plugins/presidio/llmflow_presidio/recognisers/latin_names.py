"""Names of people in Latin letters, as they are given and inherited in many countries; in part those of Faker (MIT).

Those that are more often another word have a set of their own: one of them is a name only beside another.
"""

from __future__ import annotations

GIVEN = frozenset(
    """
    aachal aadhya aadi aage aahana aaliyah aarav aarini aarna aarnav aaron aarush aashi aayush abbie
    abby abdul abdullah abeer abel abelardo abelone abha abhimanyu abhiram abigail abjorn abraham abril
    achille achim ada adaeze adalberto adam adamo adan adel adela adelaida adelasia adele adelia adelina
    adeline adelmo adem adina aditya adnan adolf adolfo adrian adriana adrianna adriano adrien adrienne
    advaith advay advik advika adweta adya agastya agata agatha agathe agnes agnete agnieszka agnolo
    agostino agus agustin agustina ahmad ahmed ahmet aida aidan aiden aiko aileen aime aimee aisha
    aishani ajna akira aksel akshay alain alan alana alara alba alberico albert alberta alberte
    albertina alberto albin albina alderano aldo aldonza alec alejandra alejandro aleks aleksandar
    aleksander aleksandr aleksandra alen alena alessandra alessandro alessia alessio alex alexa
    alexandar alexander alexandra alexandre alexandrie alexia alexis alf alfio alfons alfonso alfred
    alfredo ali alice alicia alida alina aline alisa alisha alison alistair alix alka alla allan allana
    allegra allen allison alma alois alondra alonso alphons alphonse alva alvaro alvin alwin alyssa ama
    amadeo amador amaira amalia amalie amanda amani amara amaya ambar ambrose amedeo amelia amelie
    america americo amico amin amina amir amira amleto amol amos amparo amrita amruta amy ana anabel
    anabela anabella anais anamika ananya anastasia anastasie anastazja anay anders anderson andjela
    andjelina andra andre andrea andreas andree andrei andrej andres andrew andrzej andy ane anel aneta
    anette angela angelika angelina angeline angelique angelo angie angus anibal anica aniela anika
    anirudh anita anja anjali anka anke anmol ann anna anna-lena anna-maria annabel annabell annabella
    annabelle annalena annalisa annalise annamaria anne anne-marie anneli annelies anneliese annemarie
    annemette annemijn annetta annette annibale annie annika annunziata anny anouk ansaldo ansh anthony
    anto antoine antoinette anton antonella antonello antoni antonia antonietta antonina antonino
    antonio antonius antony anusha anvi anya aoife apollo apolonia araceli aradhana arcelia arda ari
    ariadna ariana ariane arianna arie arif arild arin arjun arkadiusz armando armin arnaldo arnaude
    arne arno arnold arnulfo aron arsenio arta arthur artur arturo arunima arya aryan asa asafe asbjorn
    ase asger ashlee ashleigh ashley ashton asta astrid asuncion atenulf atharv ati attila aud audrey
    augusta auguste augustin augustine augusto aura aurel aurelia aurelie aurelio aurore ava avi avni
    axel aya ayaan ayden ayla aylin aylla ayoub ayse ayush ayushman azaan azad azeglio aziz azra baccio
    bachittar baghyawati bahadurjit bakhshi baldassare balendra balhaar baljiwan balvan balveer banjeet
    barbara barkha barry bart bartek bartolomeo bastiaan bastian beata beatrice beatrix beatriz becky
    belen belinda bella ben benedetto benedict benedicte benedikt benedikte beni benicio benita benito
    benjamim benjamin benny benoit bente benthe bento benvenuto beppe berat berend berenice berit
    bernabe bernadette bernard bernarda bernardo bernhard berra bert berta bertha bertil bertram
    bertrand beth bethan bethany bettina betty beverley beverly bhanumati bhavani bhavika bhavini bhavna
    bhavya biagio bianca bianka bibi bibiana bilal billy bimala bina birger birgit birgitta birgitte
    birte birthe bishakha bitten bjarne bjorg bjorn blake blanca blanka blas blazej boaz bobby bodil boe
    bogdan boje bonnie borge boris borris borys bozena brad bradley brady bram brandi brandon branka
    branko brayan breanna brenda brendan breno brent brett brian briana brianna bridget brigid brigita
    brigitta brigitte brijesh brinda britt britta brittany brittney brooke brooklyn bruce bruna bruno
    bryan bryce budi caio caitlin caitlyn calcedonio caleb calebe calista callum calogero calvin cameron
    camila camilla camille camillo camilo candace candelaria candice capucine cara caren caridad carin
    carina carl carla carlijn carlo carlos carlota carlotta carly carmel carmela carmelo carmen carmine
    carola carole carolin caroline carolyn carrie carsten carter cas casandra casey casper cassandra
    cassidy cassie catalina catarina caterina catharina catherine cathleen cathrine cathy cato catrine
    caua caue cecil cecile cecilia cecilie cedric celestino celia celina celine cesar cesare ceylin
    cezary chaaya chad chaitaly chaitanya chakradev chakradhar chakrika chaman chameli champak chanakya
    chanchal chandani chandran chandresh chantal chantelle charan charita charlene charles charlie
    charlotta charo charvi chasmum chatresh chatura chavvi che chelsey cherie cheryl cheyenne chiara
    chidi chinedu chloe chris christa christel christelle christiana christiane christie christin
    christina christine christof christoffer christoph christophe christopher christy ciara cindy
    cinthia cipriano cirillo cirkeline ciro citlali claire clara clare clarence clarice clarisa clarissa
    claude claudia claudine claudio claus clavs clayton clelia clemence clemens clement clemente
    clementina clifford clinton clive clotilde cody cole colette colin colleen collette collin colton
    coluccio concepcion concetta conchita connie connor conny conor conrad constance constantin
    constanza constanze consuela consuelo cora corey corina corinna corinne coriolano cormac cornel
    cornelia cornelio cornelis cornelius corrado cory costantino costanzo courtney craig cristal
    cristian cristiano cristina cristobal cruz curt curtis cynthia cyprian cyril cyrus daan dafne dag
    dagmar dagmara dagny daisuke daksh daksha dakshesh dalaja dalbir dalia dalibor damaris damian
    damiano damien damini damir damjan damon damyanti dan dana dani dania danica daniel daniela daniele
    daniella danielle danijel danijela danilo danique danny dante dany daphne dara daria darika darin
    dario darius dariusz darko darlene darpan darrell darren darrin darryl darsh darwin daryl dave davi
    david davis dawid dayamai dayana dayita deanna debbie debora deborah debra declan deepa dejan
    delfina delfino delia delphine demi denis denisa denise dennis derek derick derrick desiree desmond
    dev devansh devika devin devon dewi dex deyanira dhriti dhruv diana diane dianne didier dieter
    dilara dillon dimitri dimitrios dina dino diogo dion dionigi dipta dirk ditte divya diya dmitri
    dolores domenica domenico dominga domingo dominic dominik dominique donal donald donatella donatello
    donato donna dora dorcas doreen dorian dorina dorine doris dorota dorothea dorothee dorothy dorte
    dorthe douglas dragan dragica duane dulce duncan durante dusan dustin duuk dwayne dylan dylano ebba
    ebbe ecrin eda edda eddie edel edgar edgardo edhitha edison edita edith edmond edmund edna edoardo
    edouard eduard eduarda eduardo edvard edward edwin eesha efrain egil egon eileen eilidh eilish einar
    einer eiravati eirik eivind ekaja ekalinga ekani ekansh ekanta ekantika ekapad ekaraj ekavir ekbal
    ekiya ekta ela elaine elba eleanor eleanora elena eleonora eleonore eli elia eliana elias elif
    elijah elin elina eline elinor elisa elisabet elisabeth elise eliseo elisha eliza elizabeth elize
    elke ella elladio ellen elli ellie elliot elliott ellis elly elma elmar elmer elmo elna eloa eloah
    elodie eloisa eloise elona eloy elsa elsebeth elsie elsy elton elva elvia elvin elvira elvis elyas
    elza elzbieta ema emanuel emanuela emanuella emanuelly emelina emely emerson emil emile emilia
    emilian emiliano emilie emilija emilio emilly emily emin emir emma emmanuel emmanuelle emmet emmett
    emmy emre ennio enrico enrique enzio enzo eraldo erasmo eric erica erich erick erik erika erin erina
    erkan erling ermanno ermenegildo ermes erna ernest ernestina ernesto ernst ervin erwin eryk esben
    eshana esila esmarelda esmee esmeralda esparta espartaco espen esperanza esteban estefania estela
    estelle ester esther estrella eta ethan ethel etienne etta ettore eugen eugene eugenia eugenio
    eulalia eunice eusebio eva evan evangelista evelien evelin evelina eveline evelio evelyn evelyne
    evert evi evie evita evy ewa ewald ewelina ezequiel ezio ezra faas fabia fabian fabiana fabienne
    fabio fabiola fabrizia fabrizio falak falan falguni fanny faqid farah faraj faras farhan fariq faris
    fatih fatima fatma faustino fausto fay faye fedde fedele federica federico federigo felicia
    felicitas feline felipe felix fem femke fenna fenne ferdinand ferdinando ferenc fergus fernanda
    fernando fiamma fidel fien fiene filip filippa filippo filomena finn fiona fiorenzo fiorino fitan
    fiyaz flavia flavio flemming fleur floortje flor florencia florencio florent florentin florentina
    florentino florian florin floris fortunata frado fran frances francesca francesco francine francis
    francisca francisco franciszek franck franco francois francoise franjo frans franz franziska fred
    freddy frede frederic frederick frederik frederikke frederique fredo fredrik fredy freja freya frida
    fridolin frieda friedrich fritz frode fryderyk fulvio gabino gabor gabriel gabriela gabriele
    gabriella gabrielle gabrielly gael gaetano gagan gail gaja galasso ganga gareth garima garrett garry
    gary gaspar gaspare gaston gastone gaurang gaurangi gaurav gauri gaurika gautam gautami gavin
    gayathri geetika geir gelsomina gemma genaro genevieve genoveva geoffrey georg georges georgette
    georgina gerald geraldine gerard gerardo gerd gerda gerhard germaine germana gerold geronimo gerrit
    gert gertrud gertrude giacinto giacobbe giacomo giada giampaolo giampiero gian giancarlo
    gianfrancesco gianfranco gianluca gianluigi gianmarco gianna gianni gianpaolo gianpietro gideon giel
    gijs gil gilbert gilberto gilda gilles gillian gina gino gioacchino gioachino gioele gioffre gionata
    giorgia giorgio giosue giovanna giovanni giovanny girik girindra girish girolamo gisela gisele gitte
    giulia giuliana giuliano giulietta giulio giuseppe giuseppina giustino gladys glenda glenn gloria
    goffredo gonzalo gopal goran gordana gordon gorm gottlieb graciela graeme graham graziano graziella
    greca greco greg gregg gregoire gregor gregorio gregory greta grete grethe griselda gro grzegorz
    guadalupe guarino gudrun guglielmo guido guilherme guillaume guillermina guillermo gulay gunbir
    gundhild guneet gunhild gunn gunnar gunner gunter gunther gurli gustaf gustav gustavo gustaw guus
    guusje gwen gwendolyn gyda habiba hadassa hailey hakan hakon haley halima hamish hamsini hamza hana
    hanna hannah hanne hannelore hannes hans hao harald hardik hardy harinakshi harini harish harita
    harold harri harriet harrison harry harshil haruto harvey hasan hassan havard hayden hayley hector
    hedda hedwig hege heidi heidy heinrich heitor helen helena helene helga helge helle hellena helma
    helmut heloisa hema hemal hemang hemangini hemani hendrik henning henri henrietta henriette henrik
    henrique henry herbert herdis heriberto herman hermann hermelinda hermina hermine herminia hernan
    herta hertha hidde hilary hilda hilde hildegard hillary hilma hiral hiroshi hitesh hjalmar hjalte
    holger hollie homero honore horacio hortense hortensia howard hredhaan hritik hubert hugh hugo
    hugues hui hulda humberto huong hussein iain ian iben ibrahim ida idika ignacio ignacy ignazio igor
    ihsan ijaya ikbal ikshita ilaria ilias ilija ilona ilse ilyas imam imaran imelda imke imogen imran
    ina inaya indali indira indra indrajit indy ines inez inga inge ingeborg ingelise inger ingmar
    ingrid ingrida iolanda ippazio ira irena irene irfan irina irma irya isa isaac isabel isabela
    isabell isabella isabelle isabelly isadora isaiah isaias isak isaque ise isha ishaan ishani ishanvi
    ishita ishwar isidor isidro isis ismael ismail ismet isobel israel istvan itzel iva ivan ivana ivar
    iver iveta ivica ivo ivona ivonne iwo ize jacek jacinta jacinto jackie jaclyn jacob jacobine jacobo
    jacopo jacqueline jacques jael jagat jagdish jagrati jagvi jai jaime jair jairaj jairo jake jakob
    jakub jalsa jamal james jamie jamil jamila jan jana janaki janani jane janet janette janice janina
    janine janis janko jann janna janne janni jannie jannik jannis jano janos januja janya jaqueline
    jared jari jarl jaroslav jasmijn jasmin jasmina jasmit jason jatin javier jayda jayden jaylinn jayne
    jayson jazmin jeanette jeanine jeanne jeannette jeannine jedrzej jeet jeevika jeff jefferson jeffery
    jeffrey jelena jelle jelte jemma jenifer jenna jenni jennifer jenny jens jente jeppe jeremi jeremiah
    jeremias jeremy jermaine jerome jeronimo jerry jerzy jesper jesse jessica jessie jessy jesus jhalak
    jill jillian jim jimena jimmy jing jinthe jip jiri jo joachim joakim joan joana joann joanna joanne
    joao joaquim joaquin jocelyn jochen jodi jodie jody joe joel joelle joep joey johan johana johann
    johanna johanne johannes john johnathan johnnie johnny jolanda jolene jolie jolijn jon jonah jonas
    jonatan jonathan jonathon jonna joost jordi jordy jorge jorgen joris jorn jort jorunn jos jose josef
    josefa josefina josefine joseph josephine josette josh joshua josiah josip josue jovan jovana jovita
    joyce jozef juan juana juanita jude judith judy jules juli julia julian juliana juliane julianna
    julie julien juliet julieta juliette julijana julio julita julius juliusz jun juna jurgen juri jurre
    justin justina justine justus justyna juul jyoti jytte kabir kacper kai kaique kaitlin kaitlyn kaja
    kajetan kala kaleb kalina kalpit kamal kamala kamil kamila kamilly kamya kane kara karan kare karel
    karen kari karim karin karina karine karl karla karlijn karlo karol karolina karoline karsten
    kashish kashvi kasim kaspar kasper kata katalin katarina katarzyna katcha kate katelyn katerina
    katharina katharine katherin katherine kathi kathleen kathryn kathy kati katia katie katja katrin
    katrina katrine katy kavya kay kayla kaylee kayleigh kazim kazimierz keano keith keld kelli kellie
    kelly kelsey kemal ken kenan kendra kenji kenn kenneth kenny kent kerri kerry kerstin kevin keya
    khadija khaled khalid kiaan kian kiara kieran kiki kilian killian kim kimberley kimberly kira kirk
    kirsten kirstin kirstine kirsty kjeld kjell kjersti kjetil klara klaudia klaus klavs knut koen kofi
    konrad konstantin konstanty kornel kornelia kris krish krisha krishna krista kristen kristi kristian
    kristie kristijan kristin kristina kristine kristjan kristof kristofer kristoffer kristopher kristy
    kritika krystal krystian krystyna krzysztof ksawery kurt kwame kyan kyano kyara kyle kylie kyra
    laban lacey ladislav ladli laerke laetitia laila lais lajita laksh lakshit lakshmi lambert lamberto
    lana lando lara lara-sophie larissa larry lars lasse laszlo latasha latoya laura laure laureano
    laureen lauren laurence laurens laurent laurenz lauretta laurie laurin laurits laus laust lavanya
    lavinia lawrence layla lazzaro lea lea-sophie leah leana leander leandra leandro leanne lee leela
    leena lei leif leigh leila lekha lena lene leni lenn lennard lennart lennarth leo leon leona leonard
    leonardo leone leonel leonhard leoni leonie leonor leonora leontina leopold leopoldo leroy lesley
    leslie leticia letizia levi lewis lex leyla li lia liam liana liberto libni licia lidia lidija lieke
    lieve ligia lila lili lilia lilian liliana liliane lilla lilli lillian lilly lina linda linde
    lindiwe lindsay lindsey ling linh linn linnea lino linus lionel lipika lisa lisa-marie lisandro
    lisanne lisbeth lise liselotte lisette liv liva livia livio liwia liz liza lize lizz lizzy ljiljana
    ljubica ljudmila lloyd lodovico loek loes logan lohit lois lola lolita lona lonnie lopa lora
    loredana lorena lorenz lorenza lorenzo loretta lori lorin lorna lorraine lotta lotte lou louis
    louisa louise lourdes lovisa luan luana luara luc luca lucas lucca luce luchino lucia luciana
    luciano lucie lucien lucija lucila lucinda lucio lucrezia lucy ludmila ludovica ludovico ludvig
    ludwig luigi luigina luis luisa luise luiza luka lukas lukasz luke lunna luuk luz lydia lydie lynda
    lynn lynne maaike maanas maanav maarten maartje mabel maciej mackenzie madeleine madelief madeline
    madhav madhavi mads maeve magali magda magdalena magdalene maggie magne magnus mahdi mahika mahmoud
    mahmud maia maida maiken maira maite maj maja majken makayla maks maksim maksymilian malcolm malena
    malene malgorzata malik malika malin mallory malou malthe malvina malwina manan manbir manda mandy
    manfred manon manthan manuel manuela manuella manya mara marc marcantonio marcel marcela marcelina
    marcelino marcella marcelle marcello marcelo marcia marcin marco marcos marcus marek maren margaret
    margareta margarete margaretha margarita margaud margaux margherita margit margot margret margrethe
    marguerite mari maria mariah mariam marian mariana mariane mariann marianna marianne mariano maribel
    marica maricela marie marie-claire marie-louise marie-sophie marie-therese mariela mariella marietta
    marija marijan marijana marijn marika marilyn marin marino marinus mario marion marisa marisela
    marisol marissa marit marita maritza marius mariusz marja marjan marjorie marko markus marleen
    marlen marlene marlies marlis marlon marta marte marten martha marthe martin martina martine martino
    martyn marvin mary maryam maryse massimiliano massimo matej mateo mateus mateusz matheo matheus
    mathew mathias mathieu mathijs mathilda mathilde matias matilda matilde mato mats matteo matthew
    matthias matthieu matthijs matti mattia mattias maud maude maura maureen maurice mauricio maurilio
    maurits maurizio mauro maurycy maxim maxime maximilian maximiliano maximo maxwell maya mayra maysa
    mayte mckenzie meagan meda meera mees megan megha meghan meghana mehdi mehmet mei meike mekhala
    melania melanie melek melina melinda melisa melissa melle melvin mercedes meredith merel merete
    merethe merijn merle merlin mert mervyn mette mia micaela micah micha michael michaela michal
    michala micheal michel michela michelangelo michele micheletto michelle michelotto mick mie mieszko
    miguel mihaela mik mika mikael mikaela mikayla mike mikhail mikkel mikolaj mila milagros milan milda
    milena milica milka milla mille millicent milos milosz milou milton mimi mindy minerva minh minna
    mira miran miranda mirco mirella mireya miriam mirja mirjam mirjana mirko miro miroslav miroslava
    mirte mirthe misael mitali mitchell mitesh mitzy modesto mogens mohamad mohamed mohammad mohammed
    mohini moira moises molly mona monica monika monique morena morgan moritz morris morten moses mugdha
    muhammad muhammed murat muriel murilo musa mustafa myles myra myriam myrthe nachiket nada nadezda
    nadia nadin nadine nadir nadja naja naksh nakul nancy nandini nanna nanni naoko naomi napoleone
    natacha natalia natalie natalija nataly natan natanael nataniel natasa natascha natasha natasja
    natasza nath nathalie nathan nathaniel natividad naud naveen nayeli nedda neel neelima neha neil
    nela nele nelly nelson nenad nestor nete netra nevenka ngozi nguyen niamh niccolo nicholas nichole
    nick nicklas nico nicola nicolai nicolaj nicolas nicole nicoletta nicoline nicolo nidhi nidia nidra
    niek niels nienke nigel nihal niharika nika nikhil nikita nikki niklas niko nikodem nikola nikolai
    nikolaj nikolas nikolaus nikolina nilda nilima nils nimrat nina ninetta nino ninthe nirja nisa nisha
    nitara nitesh noa noah noe noel noelia noelle noemi noemie noor noortje nora norah norbert norberto
    norma norman noud nout nuria nurul nynke oceane octavia octavio oda odeline odette odika oeshi
    ofelia oivind ojas ojasvi ojvind ola olaf olav ole olena olfert olga olgierd oliva oliver olivia
    olivie olivier oliwier olof olufemi oluwaseun omaja omar omer omisha omkaar omya oni onkar onveer
    orazio oreste oriana orinder orla orlando ornella orni oscar osha oskar osman osvald osvaldo oswald
    oswaldo otavio otilia oto ottavio ottilia otto ottone ove oviya ovli owen oystein oyvind pablo pahal
    paige pallavi palle paloma pam pamela panfilo panini paola paoletta paolo paride parth pascal
    pascale pascual pasqual pasquale patric patrice patricia patricio patrick patrik patrizia patrizio
    patryk patty paul paula paulette paulina pauline paulo pavani pavel pawel peder pedro peggy
    pellegrino penelope pepijn perla pernille pero perry petar pete peter petra petter phileine philip
    philipp philippa philippe philippine phillip philomena phoebe phyllis pia pien pierangelo
    piergiorgio piergiuseppe pierina pierluigi piermaria piero pierpaolo pierre piersanti pieter pietra
    pietro pilar pim pina piotr pippa pius pleun polly pompeo pomponio pooja porfirio poul pranav
    praneel pranit pratyush preben preston priscila priscilla prisha priya przemyslaw puccio puck puk
    pushti putri qabil qadim qarin qasim quentin quincy quinn quinten quinty qushi raagini rachael
    rachana rachel rachelle rachit rachita radha radhika radoslaw radovan rael raf rafael rafaela rafal
    raffael raffaela raffaele raffaella raffaellino raffaello raghav ragna ragnar ragner ragnhild rahul
    raimondo rainer raj rajata rajeshri raksha ralf ralph ramiro ramon ramona rana ranbir randall randi
    randy rania ranieri ranveer raoul raphael raquel rashid rasmus raul raven ravi ravy rayaan rayan
    rayana raymond rebeca rebecca rebeka rebekah rebekka reece regan reginald regitse regitze rehaan
    reidun reina reinaldo reinhold rembrandt remy ren rena renan renata renato rene renee rens renske
    renzo reuben reva reyansh reynaldo reza rhavi rhonda rhys ria ricardo riccardo ricciotti richard
    richardt rick rickey ricky rico ridhi rigoberto rik rikke riley rishi rita ritt riya rizky roan roar
    robby robert roberta roberto robinson robyn rocco rocio rodney rodolfo rodrigo rogelio roger rohan
    roksana roland rolando rolf roman romana romeo romina romolo romy ron ronald ronaldo ronan ronith
    ronja ronni ronnie ronny ronya roos rory rosa rosalba rosalia rosalie rosanna rosaria rosario
    rose-marie rosemarie rosendo rosie rosina rosita ross rossana rowan roxana roy roza rozalia ruben
    rudi rudolf rudra rudy rufino ruggero ruggiero rune rupert rushil russell ruth ryan ryszard saanvi
    saar sabatino sabina sabine sabir sabri sabrina sachi sahra sai said saksham sakura sally salma
    salome salomon salvador salvatore salvi sam samaksh samanta samantha samar samarth samesh sami samir
    samira sammy samson samuel sanaya sander sandra sandro sanja sanjay sanna sanne sante santino santos
    sanya saoirse sara sarah sarina sarthak sasa sascha sasha saskia sathvik satoshi saul saumya saverio
    scarlett scott seamus sean sebastiaan sebastian sebastiano sebastien selena selin selina selma sem
    sena senn senna sep sepp serafin serafina serena serge sergei sergej sergio sergius sessa seth
    severin severino shane shania shannon shari sharon shaun shauna shaurya shawn shawna sheena sheila
    shelby shelia shelley shelly sheree sheri sherri sherry sheryl shirley shivani shivansh shona
    shravya sian siddharth siem siena sienna signe sigrid sigurd sil silas silja silje silke sille silva
    silvana silvano silvester silvestro silvia silvio simen simeon simon simona simone simonetta sina
    sindre sine sinead siobhan sipho siri sissel siti siv siya sjoerd slavica slavko slobodan sneha
    socorro sofia sofie sofija sole soledad solveig solvej sona sondre sonia sonja sonny sonya sophia
    sophie sophie-marie sora soraya soren sorine sos spencer stacey stacie stacy stan stanislav
    stanislava stanislaw stanley steen stef stefan stefani stefania stefanie stefano stein steinar
    stella sten stephan stephane stephanie stephany stephen sterre steve steven stewart stian stig stijn
    stina stine stjepan stuart sudiksha suhani suleyman suresh susan susana susann susanna susanne
    sussanne sussie suus suzana suzanne suze svea svein sven svenning sverre svetlana sylvester sylvia
    sylvie sylwia synnove sys szymon tabitha tadeusz tage tahir takeshi talia tamanna tamara tami tammie
    tammy tamsin tanay tania tanish tanja tanmayi tanveer tanvi tanya tara tarak tariq tasha tatiana
    tatjana taylor teddy teerth tejas tejs telemaco temistocle teodor teodora teodoro terence teresa
    teresia terje terrance terrence terri terry tess tessa teun thabo thales thanh thea thelma theo
    theodor theodora theodore theodoro theophile theres theresa therese theresia thiago thibault thibaut
    thierry thijmen thijn thijs thom thomas thor tia tibor ties tiffany tijmen tijn tijs tilde tim timea
    timmy timo timon timoteo timothee timothy tina tine tirza tito titus tiziana tiziano tobias tobiasz
    toby todd tola tom tomas tomasz tomislav tommy tone toni tonia tonino tonje tonny tony tonya torben
    torbjorn tore tori torill torquato torsten tove tracey traci tracie tracy travis trevor tricia trine
    trinidad tripti tristan triveni triya troels trond troy tuan tullio tunde turid turvi twan ty tycho
    tygo tyler tymon tymoteusz tyra tyrone tyson ubaldo uberto ubika ucchal udant udarsh udyati uffe ugo
    ugolino ulf ulises ulla ulrich ulrik ulrike umang umar umberto una unnati unni upadhriti upasna
    upkaar upma urban uriel urishilla urmi ursula urszula urvashi urvi utkarsh vagn vaishnavi vajen
    valdemar valentijn valentim valentin valentina valentine valentino valeria valerie valerio valter
    vamakshi vanda vanesa vanessa vansha vanya varenya varsha vasana vasatika vasudha veda vedant
    vedhika vedika veer veerle vegard venancio vera verena verner vernon veronica veronika veronique
    vesna vicente vicki vickie vicky victoire victoriano vida vidar vidhi vigo vihaan vikram viktor
    viktoria vilde vilhelm villads vilma vinaya vince vincent vincentio vincenza vincenzo vinicius viola
    violeta violetta viraj virgilio virginie viridiana vito vitor vitoria vittoria vittorio vivaan
    vivian viviana viviane vivien vivienne vladimir vlado vlasta vrinda vrishti vritti vyanjana wahab
    waida wakeeta waldemar walter wanda warda warhi warinder warjas warren washington watika wayne wazir
    weena wei wenche wendolin wendy werner wesley wessel whitney widisha wiktor wilfredo wilfrido
    wilfried wilhelm willem william willie willy wilma wilmer wilson winni winnie wishi witold wojciech
    wolfgang wout wouter wriddhish wridesh wyatt xalak xavi xavier xenia xi ximena xin xiomara xiti
    yachana yadavi yagnesh yago yahvi yahya yamini yan yannick yara yash yashasvi yashawini yashica
    yashoda yashodhara yashvi yasin yasmin yasmina yasmine yassin yasti yatan yatin yauvani yda yeni
    yesenia yesica yessica yfke ying yinthe ylvie yngve yochana yohana yolanda yoshita youssef yrsa yu
    yug yuki yulia yuliana yuri yuridia yusuf yutika yuto yuvraj yves yvette yvonne zacarias zacharias
    zacharie zachary zahra zaid zainab zaira zaitra zakaria zane zansi zara zarna zashil zayan zayyan
    zdenka zdravko zeferino zehaan zehnia zeljko zelma zenia zeno zeynep ziggy zilmil zina zinal zita
    zlatko zoe zoey zofia zola zoltan zora zoran zuzana
    """.split()
)
GIVEN_WORDS = frozenset(
    """
    adelaide al alexandria amber angel angelica april aria ariel august aurora austin autumn bailey
    basil beau bill bo bob brandy carol carolina charity charlotte chase chelsea christian crystal daisy
    dakota dale dalton dawn dean destiny diamond diego dom don drew earl ebony ed eden eve faith flora
    florence frank franklin gene george georgia german glen grace grant guy hazel heather holly hope
    hunter india iris ivy jack jackson jade jasmine jasper jay jean jet jordan joy june junior kelvin
    lance lily lone lucky luna madison marina marine mark mason max melody milo mina ming misty nana
    nova olive paris parker patience penny pier pierce ray regina robin rose rosemary ruby sandy
    santiago savannah sierra sue summer sydney tanner van victor victoria violet virginia
    """.split()
)
SURNAMES = frozenset(
    """
    aasen abbas abbott abdi abdullah abe aberg abrahamsen abrahamsson abrego abreu acevedo acharya
    ackermann acosta acuna adam adame adams adan adeyemi adkins adler adolfsson adolph agarwal aggarwal
    agrawal agren aguayo aguilar aguilera aguirre ahlberg ahlgren ahlin ahlqvist ahlstrom ahluwalia
    ahmad ahmadi ahmed ahn ahuja akerlund akerman akesson akhtar al-farsi alarcon albers albert
    albuquerque alcala alcantar alcaraz alejandro aleman alexander alexandersson alexandre alfaro
    alfredsson ali allain allan allard allen allison alm almanza almaraz almeida almgren almonte
    almqvist alonso alonzo altamirano alva alvarado alvarez alves amador amaya amundsen anand anaya
    anderberg anders andersen anderson andersson andra andrade andre andreasen andreassen andreasson
    andren andresen andrews anguiano angulo anne anthony antoine antonsen antonsson aparecida aparicio
    apodaca aponte apte aragao aragon aranda araujo arce archuleta arellano arenas arevalo arguello
    arias armas armendariz armenta armstrong arnaud arnesen arnold aronsson arora arredondo arreola
    arriaga arroyo arteaga arvidsson arya asante asberg ashley ashton aslund asplund astrom atkins
    atkinson atwal atzler aubert aubry augustsson aumann aune austermuhle avalos avery avila aviles
    axelsson ayala ayers azevedo aziz babu baca bachmann backlund backman backstrom badal badami badillo
    bae baek baez baeza bahena bahl bahr bahri bailey bailly bains baird bajaj bajwa bakke bakken bakker
    bakshi bal bala balakrishnan balan balay balderas baldwin ballard ballesteros balogun bandi banerjee
    banik bansal banuelos barad barajas baral barbier barbosa barela baria barker barkholz barlow barman
    barnes barnett barr barragan barraza barre barrera barreto barrett barrientos barrios barron barros
    barry barta barth barthelemy bartlett barton basak bassi basu bates batista batra batta baudry bauer
    baum bautista bava bawa baxter bazin beasley becerra bech beck becker beckmann bedi bednar begue
    begum behl beier bello beltran ben benard benavides benavidez bender bengtsson benitez benjamin
    bennett benoit benson benthin bentley benton bera berg bergdahl berge berger berggren bergkvist
    berglund bergman bergqvist bergsten bergstrand bergstrom bergvall bermudez bernal bernard bernier
    berntsen berntsson berrios bertelsen berthelot bertilsson bertin bertrand besnard besson betancourt
    bevan beyer bhagat bhakta bhalla bhandari bhardwaj bhargava bhasin bhat bhatia bhatnagar bhatt
    bhattacharyya bhatti bhavsar bianchi bibi bien binner bir birch birkeland birnbaum biswas bjork
    bjorklund bjorkman blackburn blackwell blair blake blanc blanchard blanchet blanco blankenship
    blevins blin blixt bloch blom blomberg blomgren blomkvist blomqvist blondel blumel boase boateng
    bobal bodin boe bohlander bohlin bohman bohnbach bolander bolin bolnbach bolton bolzmann boman
    bonbach bonilla bonneau bonnin booker boone borah borde borges borgstrom borjesson borner borra
    borrego bosch bose bostrom botello boucher bouchet boucsein boulanger boulay bourdon bourgeois
    bousquet boutin bouvet bouvier bowen bowers bowman boyd boyer boyle bradford bradley bradshaw brady
    brahmbhatt brandt brannstrom brar braun brekke brennan breton brewer briand bridges briemer briggs
    briones briseno brito broberg brock brodin brolin broman brookes browne browning bruce bruder brun
    bruneau brunel brunet bruun bryan bryant buch buchanan buchholz buck buckley budig bueno buisson
    bullock bumb burch burgess burgos burke burman burnett burns burrows bustamante bustos butala butte
    bylund byrd byrne bystrom caballero cabrera caceres cadena cain caldeira caldera calderon caldwell
    calhoun callahan calvillo camacho camargo camarillo cameron campbell campos canales candelaria cano
    cantrell cantu cao caraballo carbajal cardenas cardona cardoso carey carlberg carlier carlsen
    carlson carlsson carmona carney caro caron carpentier carr carranza carrasco carre carreon carrera
    carrero carrillo carrion carroll carson carsten cartwright carvajal carvalho casanova casares
    casarez casas casey casillas caspar cassiano castaneda castellanos castillo castro cavalcante
    cavalcanti cavazos cazares ceballos cedillo ceja centeno cepeda cervantes cervantez chacko chacon
    chad chada chadha chadwick chahal chakrabarti chakraborty chambers chan chana chand chanda chander
    chandra chandran chaney chapa chapman charles charlton charpentier charrier chartier chatterjee
    chaudhari chaudhary chaudhry chaudhuri chaudry chauhan chauveau chauvet chauvin chavarria chavez
    chawla cheema chen cherian chevalier chevallier chhabra choi chokshi chopra choudhary choudhry
    choudhury chowdhury chretien christensen christiansen christoph chung cichorius cifuentes cintron
    cirino cisneros claesson clark clarke clausen clayton clement clements clerc cline coates cobb
    cochran coffey cohen colas cole coleman coles colin collado collazo collet collier collin collins
    colombo colunga comar combs compton concepcion conley conner connolly connor conrad conradi
    contreras conway cooke cooley copeland cordero cordier cordova cornejo coronado corrales correa
    correia cortes cortez costa coste costela cotto coulon courtois couturier covarrubias cowan cox
    craig crawford crespo crosby cruz cuellar cuevas cummings cunha cunningham curiel curtis dahl
    dahlberg dahlen dahlgren dahlin dahlqvist dahlstrom dalal dalton daly dani daniel daniels danielsen
    danielsson dara das dasgupta dass datta daugherty dave davenport davey david davids davidson
    davidsson davies davila davis davison dawson dayal de-vries decker dehmel delacruz delahaye delannoy
    delattre delaunay deleon delgadillo delgado delmas delorme demir deng denis dennis deo deol desai
    descamps deschamps deshmukh deshpande devan devaux devi dewan dhaliwal dhar dhawan dhillon dhingra
    diallo dias diaz dickerson dickinson dickson didier dietz dijoux dillon dippel ditschlerin dixon
    dlamini dobes dobson dodd dodson doherty dohn dominguez donaldson donnelly donovan dora doring dorr
    dorschner dorsey doshi dougherty douglas dowerg downs doyle drewes drubin dua duarte dube dubey
    dubois dudley duenas duffy dufour dugal dugar duhamel dumas dumont duncan dunlap dunn duong dupont
    dupre dupuis dupuy duran durand durham dutt dutta duval dyal eaton eberhardt ebert eberth echeverria
    eckbauer edberg edin edlund edman edstrom edvardsen edvardsson edwards edwin ehlert eide eigenwillig
    einarsson ekberg ekdahl ekelund ekholm eklof eklund ekman ekstrand ekstrom el-sayed eliassen
    eliasson elizondo ellingsen elliott ellis ellison elofsson emanuelsson emilsson engberg engdahl
    engen englund engman engstrom engvall enriquez erickson ericson ericsson eriksen eriksson erlandsson
    ernst escalante escamilla escobar escobedo esparza espinosa espinoza esposito esquibel esquivel
    estes estevez estrada etienne etzler etzold evans evensen everett evrard ewing eze fabian fabre
    fagerstrom faivre fajardo falk farah farias farley farooq farrell faulkner faure faust fechner
    feliciano feng ferguson ferm fernandes fernandez ferrand ferrari ferreira ferrell ferrer fiebig
    fierro figueroa finke finley fischer fitzgerald fitzpatrick flantz fleming fletcher fleury fliegner
    flink flores florez flowers floyd flynn fogaca foley folkesson fonseca fontaine forbes fors forsberg
    forsell forsgren forslund forsman forster foucher fouquet fournier fowler francis franco francois
    frandsen franke fransson franzen fraser frazier frederick frederiksen fredriksen fredriksson freitas
    freudenberger frey frias friberg frid friedman friis fritsch fritz frohlich fry frye fuentes fujita
    gaba gabrielsson gaillard gaines gaitan galarza galindo gallagher gallardo gallegos gallet galloway
    galvan galvez gamboa gamez gandhi ganesan ganesh ganguly gao gaona garay garces garcia garde
    gardiner gardner garg garibay garica garner garnier garrett garrido garrison garza gashi gaspar
    gastelum gates gaudin gauthier gautier gaytan gehringer geisel geisler geissler george georges gera
    gerard gerlach germain gertz ghose ghosh gibbons gibbs gibson gierschner giess gil gilbert giles
    gill gilles gillespie gillet gilmore gimenez girard giraud giron girschner glenn gnatz goda godard
    goddard godfrey godinez godoy goel gokhale gole golla gollum gomes gomez goncalves gonzales gonzalez
    goodman goodwin gopal goransson gordon gorlitz gosselin goswami goto gotthard gough gould gour goyal
    gracia graf graham grahn granado granados granath granberg granlund granstrom graves greco greene
    greenwood greer gregersen gregoire gregory gren grenier grewal griego griffin griffith griffiths
    grijalva grimes grondin gronlund grottner grover guajardo guardado guerin guerra guerrero guevara
    guha guibert guichard guilbert guillaume guillen guillet guillon guillot guillou gulati gulbrandsen
    gullberg gumprich gundersen gunnarsson gunpf guo gupta gurule gustafsson gustavsson gute gutierrez
    gutknecht guyon guyot guzman haas haase haddad haering hafner hagberg hagen hagg hagglund haggstrom
    haglund hagman hagstrom hahn hakansson halder haley hallberg hallgren hallin halvarsson halvorsen
    hamann hamel hamilton hammar hammarstrom hammond hamon hampton hancock handa hande hanel haney hanna
    hans hansen hanson hanssen hansson haraldsson hardin harding hargreaves hari haring harloff harmon
    haro harrell harrington harris harrison hartley hartman hartmann hartung harvey hasan hasegawa
    hashimoto hassan hatfield hauffer haug hauge haugen haugland hawkins hayashi hayden hayer hayes
    haynes hayre hays hayward hebert hecker hedberg hedin hedlund hedman hedstrom hegde heidrich hein
    heinrich heintze heinz helgesson helland hellberg hellgren hellman hellstrom hellwig henck henderson
    hendricks hendriks hendrix henk henningsson henriksen henriksson henriquez henry henschel hensley
    henson hentschel heo herbert heredia hering herman hermann hermansen hermansson hermighausen
    hernadez hernandes hernandez herrera herrmann hertrampf herve herzog heser hess hesse hester hethur
    hettner heuser hewitt heydrich hickman hicks hidalgo higgins hiller hilton hines hinojosa hinton
    hjalmarsson hjelm hjort hoang hoarau hoareau hobbs hodge hodges hodgson hoffman hoffmann hofig
    hofmann hogan hogberg hoglund holden holder holgersson holguin holloway holm holmberg holmes
    holmgren holmqvist holmstrom holst holsten holt holzapfel holzenbecher hong hooper hoover hopkins
    horak horle horne hornich hornig horton horvat hosseini houghton houston howard howarth howe howell
    howells huang hubbard hubel huber hubert hudson huerta huet huffman hughes huhn hull hult hultgren
    hultman humbert humphrey humphreys humphries hunter hurley hurst hurtado hussain hussein hutchinson
    huynh hwang hyde ibarra ibrahim iglesias ikeda imbert ingram ingvarsson inoue iqbal irizarry irwin
    isaksen isaksson ishikawa ismail israelsson issa issac ito ivanov ivarsson iversen iyengar iyer
    jacob jacobs jacobsen jacobson jacobsson jacques jacquet jacquot jafari jaggi jahn jaime jaimes jain
    jakel jakobsen jakobsson james jang jani jansen jansson jantsch jaquez jaramillo jarl jarvis jasso
    jayaraman jean jefferson jenkins jennings jensen jenssen jeong jeppesen jeppsson jepsen jespersen
    jessel jessen jesus jha jhaveri jimenez jiminez jockel johal johann johannessen johannesson johansen
    johansson john johns johnsen johnson johnsson johnston joly jonasson jones jonsson jopich jorgensen
    josefsson joseph joshi joubert jourdan jovanovic joyce juarez juhlin julien junck juncken jung
    jungfer junitz junken jurado juttner kabus kadakia kade kaiser kalita kalla kallert kallstrom kambs
    kamdar kaminski kanda kane kang kannan kant kapadia kapoor kapur kar kara karan karge kari karlberg
    karlsen karlsson karlstrom karnik karpe karz kashyap kaster kata kato kaufman kaul kaur kay kaya
    keer keith keller kelley kelly kemp kennedy kensy kerr kessler keudel khalil khalsa khan khanna
    khare khatri khosla khumalo khurana kidd kim kimura kirby kirk kitzmann kjaer kjeldsen kjellberg
    klapp klasson klausen klein klemm klemt kline kling klingelhofer klotz knapp knappe knowles knox
    knudsen knutsen knutsson kobayashi kobelt koch kohl kohler kohli kolar konda korhonen korpal koshy
    koster kostolzin kota kothari kovac kovacs kowalski kramer krantz kranz kraus krause kraushaar krebs
    krein kreusel krish krishna krishnamurthy krishnan kristensen kristensson kristiansen kristiansson
    kristoffersen krogh kroker krueger kruschwitz kucera kuhl kuhn kuhnert kulkarni kumar kumer kunda
    kurian kuruvilla kusch kuznetsov kvist kwon labbe laboy lachmann lacombe lacroix ladeck lagarde
    laine lal lala lall lalla lam lambert lamy landin landry landstrom lang lange langern langlois lanka
    lantz laporte lara laroche larsen larson larsson lassen launay laureano laurent lauridsen lauritsen
    laursen lawrence lawson leao leblanc lebon lebreton lebron lebrun leclerc leclercq lecomte leconte
    lecoq ledesma ledoux leduc lefebvre lefevre lefort legendre legrand legros lehmann leiva lejeune
    leleu lelievre lemaire lemaitre lemoine lemonnier lemus lennartsson lenoir leon leonard lerma leroux
    leroy lesage lester letellier leveque levine levy lewandowski lewis leyva liang liden lidstrom
    liebelt lilja liljegren lima limon lin linares lind lindahl lindau lindberg lindblad lindblom linde
    lindell lindfors lindgren lindh lindholm lindkvist lindmark lindner lindquist lindqvist lindsey
    lindskog lindstrom lindvall linke liu livingston ljung ljungberg ljunggren ljungqvist llamas lloyd
    lochel loera loffler lofgren logan loiseau lombard lomeli longoria lonn loos lopes lopez lorch
    losekann louis lovato lovgren lowe lowery loya loyal lozada lozano lubs lucas lucero lucio luevano
    lugo lund lundberg lundblad lunde lundell lundgren lundh lundholm lundin lundkvist lundmark
    lundquist lundqvist lundstrom luo luthra lutz lynch lynn lyons lyu macdonald macedo machado macias
    madan madden maddox madera madrid madrigal madsen maestas magana magar magnusson mahajan mahal
    maharaj mahe mahmood mahoney maillard maillet maillot majumdar malave maldonado malhotra malik
    mallick malmberg malmgren malmqvist malmstrom malone malzer mammen manda mandal mander mangat
    mangold mann mannan manne manning mans mansour mansson manzanares marchal marchand marechal mares
    margraf marie marin marino marion marklund markovic marks markus marques marquez marrero marroquin
    marsden martel martensson martineau martinez martins martinsen martinsson marty mary mascarenas
    massey masson mata mateo mathews mathiasen mathiesen mathieu mathis mathisen matias matos matsumoto
    matthai matthews mattsson maurice maury maxwell maya mayer maynard mayo mayorga mays mbeki mcbride
    mccall mccann mccarthy mccarty mcclain mcclure mcconnell mccormick mccoy mccullough mcdaniel
    mcdonald mcdowell mcfarland mcgee mcgrath mcguire mcintosh mcintyre mckay mckee mckenzie mckinney
    mcknight mclaughlin mclean mcmahon mcmillan mcneil mcpherson meadows medina medrano medved mehta
    meier meister mejia melander melendez melgar melin mellor melo melton memon mena menard menchaca
    mende mendes mendez mendonca mendoza menendez menon mensah mentzel meraz mercado mercier merino
    merle merritt metcalfe metz meunier meyer meyers meza miah michael michaud michel middleton
    mielcarek mies mikkelsen miles minhas miramontes miranda mireles mishra misicher misra mital
    mitchell mitra mitschke mittal mitter moberg mochlichen modi modig mody moe moen mogensen mohamed
    mohammad mohammadi mohammed mohamud mohan mohanty mohaupt mojica molin molina moller mondragon
    monnier monroe monroy montalvo montanez montano monteiro montemayor montenegro montero montes montez
    montgomery montoya mooney moraes morales moran morar moreau moreira morel moreno morgan mori morin
    morley morozov morris morrison morse mortensen morton morvan mosemann moses mosley mota moura moya
    moyer mude mueller muhle mukherjee mukhopadhyay mulichen mullen muller mullins munguia muni muniz
    munoz munshi murillo muro murphy murray murthy murty mustafa mutti myers myhre myklebust nadig
    nadkarni naess nagar nagarajan nagi nagy naidu naik nair najera nakamura nanda narain narang naranjo
    narasimhan narayan narayanan narula narvaez nascimento naser nash naslund natarajan nath natt nava
    navarrete navarro nayak nayar naylor nazareth nazario ndlovu neal negrete negron nelson nemec nerger
    nette neureuther neuschafer nevarez neveu newman newton ng ngo nguyen nicholls nichols nicholson
    nicolas nielsen niemeier nieto nieves nigam niklasson nilsen nilsson nino nissen nixon nkosi noack
    noel nogueira noh nohlmans nolan norberg nord nordberg nordgren nordin nordlander nordlund nordqvist
    nordstrom noren norgaard norgren noriega norlin norling norman normand norris norrman norton novaes
    novais novak novikov nowak nunes nunez nwosu nyberg nygard nygren nylander nylen nyman nystrom
    o'brien o'connell o'connor o'donnell o'keefe o'neill o'reilly o'sullivan oberg obrien ocampo ocasio
    ochoa oconnell oconnor odegard oderwald odom odonnell oestrovsky ogawa ohlsson ohman ojeda okada
    okafor okonkwo olander olausson olesen olivares olivarez olivas oliveira oliver olivera olivier
    olivo ollivier olmos olofsson olsen olson olsson olvera omar oneal oneill ontiveros oommen oquendo
    ordonez orellana ornelas orosco orozco orr orta ortega ortiz ortmann osborn osborne oskarsson osman
    osorio ostberg osterberg ostergaard ostling ostlund ostman otero ott ottosson overgaard owen owens
    owusu oza ozuna pabon pacheco padilla padmanabhan padron paez paffrath pages pai paik palacios palan
    palmgren palmqvist palomo palsson panchal pandey pandit pandya pantoja papadopoulos pardo paredes
    parekh parikh park parkes parkin parkinson parks parmar parmer parra parrish parry parsa parsons
    partida partzelt pascal pasquier patberg patel pathak patil patino patla patrick patterson patton
    paul paulsen paulsson payet payne paz pearce pearson pechel pedersen pedraza pedroza peixoto pelayo
    pelletier peltier pena peng pennington perales peralta perea pereira peres perez pergande perkins
    peron perret perrier perrin perrot perry persson peter peters petersen peterson petersson petit
    petitjean petrov pettersen pettersson petty peukert pham phan phelps philippe phillips picard
    pichardo pichon pieper pierre pihl pillai pillay pimenta pineau pineda pinto pires pittman pitts
    pizarro plath pohl poirier polanco politz pollard ponce pons poole popov porras portillo posada
    potier pottier potts poulain poulsen powell powers prabhakar prada pradhan prado prakash prasad
    prashad pratt preciado preiss preston prevost prieto pritchard pruitt pruschke pruvost puente puga
    pugh pulido puri purohit quesada quezada quinn quinones quinonez quintana quintanilla quintero
    quiroga quiroz radel radhakrishnan radisch rael raghavan rahman rai raj rajagopal rajagopalan rajan
    raju rama ramachandran ramakrishnan raman ramanathan ramaswamy ramesh ramirez ramon ramos ramsey
    rana randall randhawa randolph ranganathan rangel rao rascon rask rasmussen rastogi ratta ratti rau
    raval ravi ravn raya raymond raynaud razo reddy rees reese reeves regalado rege regnier rehn
    reichmann reid reilly reinhardt reising remy renard renaud renault rendon renner renteria resendez
    reuter rey reyes reyna reynaud reynolds reynoso rezende rhodes ribeiro ricci richard richards
    richardson richmond rico riehl riggs riley riojas rios riou ritter rivas rivera rivero riviere
    robbins roberson robert roberts robertson robertsson robinson robledo robles robson rocha roche
    rocher rodarte rodgers rodrigez rodrigues rodriguez rodriquez roger rogers rogge rogner roh rohleder
    rohrdanz rohricht roht rojas rojo roldan rolland rollins rolon roman romano romer romero romo
    ronning roos roque rorricht rosado rosales rosario rosas rosemann rosen rosenberg rosengren rosenow
    rosenqvist roskoth ross rossi roth rousseau roussel rousset roux rowe rowland rowley roy roybal
    royer rubio rudolph ruelas ruiz ruppersberger ruppert russell russo ruud ryan rydberg ryden ryu
    saavedra sabharwal sachar sachdev sachdeva saenz saether sagar sager saha sahlin sahni sahota saini
    saito saiz salamanca salas salazar salcedo salcido saldana saldivar saleh salgado salinas
    salomonsson salvi salz sama samaniego sami sampaio sampath sampson samra samuelsson sanabria sanches
    sanchez sandberg sandell sanders sanderson sandgren sandhu sandin sandoval sandstrom sandvik sanford
    sangha sanghvi sani sankar sankaran santacruz santana santiago santillan santos sarabia saran sarin
    sarkar sarma sarna sarraf sasaki sastry sathe sato sauberlich sauceda saucedo sauer saunders sauvage
    sawhney saxena schaaf schacht schaefer schafer scheel scheibe schenk scheuermann schinke schleich
    schlosser schmidt schmidtke schmiedecke schmiedt schmitt schneider schofield scholl scholtz scholz
    schomber schonland schottin schou schroeder schuchhardt schuler schultz schulz schuster schwartz
    schweitzer schwital scott segebahn segovia seguin segura sehgal seidel seifert seip sekhon selin
    sellers sem sen sengupta sepulveda serna serrano serrato seshadri seth sethi setty sevilla shaffer
    shah shankar shanker shannon sharaf sharma sharpe shaw shea shelton shenoy shepard sheppard shere
    sherman sheth shetty shields shimizu shin shroff shukla sibal sidhu silva silveira simmons simon
    simonsen simonsson simpson sims sinclair singh singhal sinha siqueira sisneros sivertsen sjoberg
    sjoblom sjodin sjogren sjoholm sjolander sjolin sjolund sjostedt sjostrand sjostrom skog skoglund
    skold skoog skov slater sloan smirnov smit smith snyder soderberg sodergren soderholm soderlund
    soderman soderqvist soderstrom sodhi soding sokolov solanki solano solberg solheim solis soliz
    solomon solorio solorzano solzer som soman sondergaard soni sontag sood sorensen sorgatz soria sosa
    sotelo soto sousa souza spears spence spiess sridhar srinivas srinivasan srivastava stadelmann
    stafford stahl stahr stanton staude steckel steele steffensen stein steinberg stenberg stenlund
    stenstrom stephens stephenson steuer stevens stevenson stewart stiebitz stiffel stokes stoll stolze
    storey strandberg strickland striebitz stroh stromberg stuart stumpf suarez subramaniam subramanian
    sule sullivan sundaram sundberg sundell sunder sundin sundqvist sundstrom suresh suri sussebier
    sutton suzuki svahn svanberg svantesson svard svedberg svendsen svensson svoboda swaminathan swamy
    swanson sweeney sykes szabo tafoya tak talbot talwar tamayo tamez tanaka tandon taneja tang tangen
    tanguy tapia tara tasche tata tate techer teixeira tejada tejeda tella tellez tello teran terrazas
    terrell terry tessier texier textor thaker thakkar thakur thaman thanel thibault thierry thies
    thomas thomassen thompson thomsen thomson thor thoren thornton thorpe thorsen thulin thygesen tian
    tijerina tintzmann tirado tiwari tlustek todd toledo tomlinson toor tornqvist torres torrez
    torstensson toussaint tovar townsend tran traore trapp travis trejo trevino tripathi trivedi
    trommler trost trubin trujillo trupp tschentscher turesson turnbull turpin tveit tyler ulibarri
    ullmann ulloa ullrich upadhyay uppal urbina urena urias uribe urrutia vaca vaidya vaillant vala
    valadez valderrama valdes valdez valdivia valencia valentin valenzuela valette valladares valle
    vallee vallejo valles vallet vallin valverde van-dijk vance vanegas varela varga vargas varghese
    varkey varma varty varughese vasconcelos vasquez vasseur vaughan vaughn vazquez vega velasco
    velasquez velazquez velez veliz venegas venkataraman venkatesh verdier verdugo verduzco vergara
    verma vestergaard vesterlund vestin viana viberg vidal vieira viera vig vik viklund vikstrom
    vilhelmsson villagomez villalobos villalpando villanueva villareal villarreal villasenor villegas
    vincent virk virtanen visser viswanathan vogt vohra voisin volkov vollbrecht vora vu vyas wable
    wadhwa wagenknecht wagle wagner wahlberg wahlgren wahlstrom wahner walia walla wallace wallen waller
    wallgren wallin wallis walls walsh walter walters walton wang warren washington wason watanabe
    watkins watson watts webb weber weeks weihmann weimer weinhage weinhold weiss weitzel weller wells
    wennberg wernecke werner wesack westberg westerberg westerlund westin westlund westman weston
    whitaker whitehead whitehouse whitney whittaker wiberg wiek wieloch wiggins wiklund wikstrom wilcox
    wiley wilhelmsson wilkerson wilkins wilkinson williams williamson willis wilms wilmsen wilson
    winberg winkler winter winther wirth wisniewski wohlgemut wojcik wolfe wong woodard wu wulf wulff
    wyatt xiao xie xu yadav yamada yamaguchi yamamoto yanez yang yates ybarra yilmaz yoder yohannan yoo
    yoon yoshida yu yuan yun zacharia zachariah zahn zambrano zamora zamudio zanker zapata zaragoza
    zarate zavala zayas zedillo zelaya zeng zepeda zetterberg zhang zheng zhou zhu ziegert zielinski
    zimmer zimmerman zirme zobel zorbach zuniga
    """.split()
)
SURNAME_WORDS = frozenset(
    """
    archer austin bach baker ball banks barber baron bass bean beard beer bell berry best bird bishop
    black bond booth branch bright brooks brown bui bull bush butcher butler cannon carpenter carter
    case chamberlain chandler chang chase cherry cho christian church clay colon cook cooper crane cross
    curry dale dang day dean drake duke dyer english farmer field fields finch fisher ford foster fox
    frank franklin freeman french frost fuller gamble gay gentry glass glover golden good grant gray
    green ha hale hall han hardy harper hart heath herring hill ho holland hood hope horn hu hunt im
    jackson jin joo jordan kent king knight ko lamb lane law lee li lim little long lord love luna ly ma
    mack marsh marshall martin mason mercer merchant miller mills min moody moon moore morrow moss noble
    oh page palm palmer paris parker peacock peck pierce pope porter potter price prince ray read reed
    rice rich ring rivers robin rose rush sales salmon sawyer seo sharp shepherd skinner small smart
    snow son song sparks spencer stanley stark stone storm stout strong suh summers sun swift tanner
    taylor tucker turk turner underwood valentine wade walker wall ward warner waters weaver webster
    welch wheeler white winters wise wolf wood woods woodward wright york young
    """.split()
)
