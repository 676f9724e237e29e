"""What Korean and English names are made of.

Pairs of syllables that given names are made of, as they were given between the 1940s and the 2020s; what isn't among
them is taken for a name only where a label or a title says so.
"""

from __future__ import annotations

SURNAMES = frozenset(
    "김이박최정강조윤장임한오서신권황안송전홍유고문양손배백허남심노하곽성차주우구민류나진지엄채원천방공현함변염여추도"
    "소석선설마길연위표명기반라왕금옥육인맹제모탁국은편용예경봉사부태목형계피두감음빈동온호범좌팽승간견당"
)
COMMON_SURNAMES = frozenset(
    "왕탁맹봉편김이박최정강조윤장임한오서신권황안송전홍유고문양손배백허남심노하곽성차주우구민류나진지엄채원천방공현함변염여추도소석선설마길연위표명기반"
)
COMPOUND_SURNAMES = ("남궁", "황보", "제갈", "선우", "독고", "사공", "서문", "동방")

# Given names by their first syllable: 가영은 stands for 가영 and 가은.
_BY_FIRST = """
    가영은인희연현원윤람온율빈 강민현희우석준혁인호산일식 건우호희형영식민율 겨울
    경수민희아자숙미은진훈환석호준현철태선애순란화옥규식태원빈주 관우호식수 광수호민석현희일식진훈선용재
    교진현 국진현 권우영 규리빈현민진원태석호철하영식은 근우영호수석혜 금자희순옥주숙례화란녀
    기현훈철수호영석범태환준우정욱남용 길동수호자순 나연은영라래윤경희현무리린미 난영희주 남준희수주이철규숙
    누리 다은인혜현연영빈희솜율경슬래 단아비 달수 대현영호성희훈웅균욱식한근 덕수호현희진순자
    도현윤영훈희경연아균원하진준우은율 동현욱훈우희수준건민진석규혁하주원은완국민호빈률 두호현식리 라희온엘
    래원 로운아 루리다아 리나아원 마루리음 만수호식석기 명수희숙자호진석환선훈주순철옥 무성진현열
    문수희석호정식경 미경란선숙영정진희연주현나라옥자혜애순소리
    민수준지호서정석우재철규영경혁성기선희아주찬국혜채하율진욱교식태상건 바다름 범수준석진 별이
    병철호훈수희우욱헌찬규국진태기 보라람경미영나민검배현연선 복순자희남동 봄이 봉수호석순주 빛나
    상훈현우호철수진민욱희준미은혁아연윤협엽태원범 새롬봄별힘 서연현윤준영진우희정은아하율빈원린인경후웅안이
    석진훈민호현우준희환기원주제천 선영희우미경아주호정화자민현진혜옥숙애일규유율균웅 설희아현
    성민호훈현진우수준희은철욱태환규재빈주경애미식혁근윤찬일기원국하
    세영진현훈희은연아윤준라인미빈린웅호경이 소영연희라민은현윤정진미담율리이하원 솔비이지 송이희연현아
    수진민현연정아빈경미영희지호인환철혁용란안하완근길이 숙자희영현경 순자희영옥덕이남실기 슬기아
    승현민우호훈준희연원철아주혜기환태수진재욱혁규빈은윤범하엽룡 시우현은연윤영원온아후 신영혜우애희일
    아름영라람연린윤현인진 안나 애리자경란숙 양희수미 언주 여진정울은 연주희우아수정경서지호숙화
    영희수자숙호철진민미란순훈선현은주석환아식태준우옥경애재하길남배광권국구 예진은린지원나서준슬림빈영담
    오성 옥자희순선주 온유 완수 용수호준우석현희진훈환화식범재 우진영성현석빈주재혁희식철람
    원희석준호영재우진식빈경복 유진나리미정빈민경라림하찬준현선식 윤아서지호희정미경주우재슬진영하석성수기
    율희 은영지정희주아경혜미수숙진서선호채하비별우빈유새재찬솔 의진현준 이슬현준나안서든솔
    인영수호숙희혜성철경아하식선 일우호환남권 자영경현 장우훈미희
    재현민호영훈석준우희원진경욱환혁철윤은하용형인열성범규식찬학선이명 전호 점순례
    정희숙우민호현훈은수아미자화연원석인란윤환빈순식혜선욱규태현철진주기임국옥애세 제니인
    종수훈현호민석철혁희원식인욱태국찬우범섭 주희영연현은아원호혜미경리하찬환완안형성란
    준호영서석혁희우수상현기하형범규모표식 중기현훈만수근구
    지현영수은민연훈혜원우선아윤유호희나안성혁환율미애예운후숙인효상하
    진수희영우아호석주숙선경혁욱서솔실규철이화교 찬호영우미혁희식민욱열 창수민호훈현희욱우식섭
    채원영은연윤린희아현민 철수호민우희 춘자희식기 충현 치현우훈
    태현영희호우민훈준수진윤경식성연형양원석환섭주용 하나은늘영윤린준율진연람경정선 학수선
    한나별솔결빛울수준영주서민 해진인원주경숙수린솔 향숙미
    현우수정아주민진영서희경숙석준미철호지욱태자빈성기선식승무국 형우준석진민주식철욱태
    혜진영원경숙정미선인란은지수연린리나주자민 호준석진영연성철 홍식주철기 화영연정자숙 환희
    효진정선주은민원경숙리린빈연섭재 후인 훈민 희진정수선경숙영연재철원주준은 흥수민식 요한 필수성순호
    귀남순영옥자희분례 갑수동순 말자순숙 끝순 을동 판석수 칠성
""".split()
GIVEN = frozenset(word[0] + second for word in _BY_FIRST for second in word[1:])

# What is written like a name, and more often is none.
NOT_NAMES = frozenset(
    """
    송나라 명나라 원나라 주나라 한나라 조나라 위나라 오나라 진나라 주재원 정미소 이태원 정보라 한가지 이미지
    이유나 최대한 최소한 정도로 고유한 이상한 신선한 안전한 한다면 이하나 하나하나 이수진행 전시회 전문의
    이용자 신용도 이해도 인지도 전자상 한국인 이동수 문서화 정수기 전기차 기준선 이자율 조정안 장미희 정은행
    지연수 조건우 전화영 주소지 성명은 이번주 지난주 신기술 유지원 고지서 정규식 정상호 정확히 이제서 인정하
    이성민감 한정수 한민수량 우선권 우선순 공기업 공기정 기기정 기간제 서비스 소비자 구매자 주문자 주민세
    주식회 강수진행 강수량 우수성 한자리 강의실 정보라 정보원 정보인 정보성 조회수 조회하 한우리 이하율
    주인공 지원서 지원자 지원하 지하철 지하수 지수는 지진아 나머지 나라현 마지막 한글화 고경영 안내서 안경수
    이유진단 현재영 현재진행 문화재 문화원 문화인 전원주 전원희 방문수 구현하 구현우 남은영 남자아 여자아
    여성호 사기현 인사하 인하대 인상률 원자재 원자로 석유화 음성인 용인시 진주시 전주시 청주시 여주시 양주시
    경주시 파주시 광주시 나주시 원주시 제주도 상주시 김치찌 이어진 이루어진 정해진 이은희망 이상현상
    한영희망 유기농 유명한 심지어 심각한 채용공 채권자 채무자 표준화 표현하 표시하 추가하 추진하 추천인
    명시하 변경하 변경은 신고서 신청서 신청인 신분증 임대인 임차인 매수인 매도인 유효한 유효성 고정은 고정수
    고정하 황금연 노하우 노동자 배경화 배송지 배우자 배우는 문제인 문의하 성실히 성인용 성인지 소유자 소유주
    소득은 하지만 하나은 하나의 함수인 연구원 연수원 연구자 위원회 위원장 위임장 도시철 도로명 도서관 도서실
    주차장 주유소 공유하 공동주 공유기 공인인 기본은 기본정 기준은 반영하 반영은 반도체 반장은 국민은 국영수
    국경은 국기원 동영상 동의서 동호수 부동산 부가세 태양광 목적지 계정은 형식은 형태로 사용자 사용은 사진은
    사원증 사업자 사은품 인증서 인증은 인원수 인수인 주주현 주원인 안정화 안정성 정기석 임시로 장소희 전성기
    이순자산 이기는 조치원 조기현 조선호 조선인 한우영 현상은 현실은 정성은 정의는 정리하 소수의 소수인
    진행하 진행은 기원전 장기화 장기수 장기간 유선영 유선은 유지하 유지는 유지보 백수진 주기는 주기적 주간지
    이정민원 강제로 강사진 강조하 강화하 강화도 강화군 서울시 서울역 한양대 고려대 연세대 성균관 이화여
    이화학 중앙대 명지대 경희대 은성수 은수저 은현재 국수영 국수진 전수진행 전수조 전기세 전기료 전자레
    전자책 전화기 전화번 전화는 전화로 전화가 성수동 성수역 성수기 안동시 남양주 남원시 동해시 김해시 김제시
    구미시 여수시 문경시 이천시 정읍시 하동군 고성군 장성군 장수군 임실군 진안군 진도군 영광군 오산시 안산시
    안성시 나주인 정선군 신안군 강진군 강동구 강서구 강북구 강남구 서초구 성동구 성북구 노원구 도봉구 은평구
    마포구 양천구 구로구 금천구 동작구 관악구 송파구 조용한 조용히 민영화 한영사 송수신 여주인 표정은 원주민
    주인은 전용은 함수는 함수로 연도별 이동은 이동은행 우리은행 하나은행 공정위 공정하 공정성 남자의 여자의
    남성용 여성용 남녀노 차례로 차선은 차종별 명성은 심해진 심사원 방수진 방수는 방송인 현대인 현지인 지역민
    도민의 장진영상 장애인 장애우 장학생 장학금 장마철 이슬람 이슬비 한숨을 한순간 추석은 추석날 구인란
    구정은 정월은 유월은 구월은 이재민 고재원금 국제선 국제화 이재민은 나은영향 진영논 진영은 여진이 고인의
    구성원 구성은 구성하 구성주 명수는
    """.split()
)

# What may be glued to a name: particles, and particles after particles, and the forms of "to be".
_CASES = (
    "이 가 은 는 을 를 의 에게 께 께서 한테 와 과 랑 이랑 도 만 까지 부터 보다 처럼 만큼 로 으로 조차 "
    "마저 에게서 한테서 로부터 으로부터 로서 으로서 하고 에"
).split()
_AFTER_CASES = ("은 는 도 만 의 까지 부터 이 가 을 를 에게 와 과").split()
_DOUBLED = (
    "에게 께 께서 한테 와 과 랑 이랑 만 까지 부터 보다 처럼 만큼 로 으로 에게서 한테서 로부터 으로부터 에"
).split()
_SHORTENED = (
    "에겐 한텐 께선 에겔 랑은 이랑은 이란 란 이여 여 뿐 뿐만 뿐이 뿐만이 밖에 대신 마다 등 등이 "
    "등은 등의 및 외 앞 앞으로 측 측은 측이 측의 본인 명의 명의로 명의의"
).split()
_COPULA = (
    "입니다 입니다만 입니까 이에요 예요 이예요 에요 이야 야 이다 다 이고 고 이며 며 인데 인데요 인가 "
    "인가요 인지 이죠 죠 지요 이지요 이네 네 이네요 네요 이라 라 이라고 라고 이라는 라는 이라면 라면 "
    "이라서 라서 이라도 라도 이라며 라며 이라면서 라면서 이라니 라니 이었다 였다 이었습니다 였습니다 "
    "이었어 였어 이었어요 였어요 이었고 였고 이었는데 였는데 이었던 였던 이자 자 이면 면 이니 니 "
    "이니까 니까 일까 일까요 일 이신 이신데 이신가요 이십니다 이시고 이시며 이시죠 시죠 이세요 세요 "
    "이셔서 이잖아 잖아 이잖아요 잖아요 이든 든 이나 나 이나마 인 이라기 아 이랍니다 랍니다"
).split()
_HONOURED = ("씨 님 군 양 귀하").split()
PARTICLES = (
    *_CASES, *(f"{one}{more}" for one in _DOUBLED for more in _AFTER_CASES), *_SHORTENED, *_COPULA, *_HONOURED,
    "이가", "이는", "이를", "이의", "이도", "이한테", "이에게", "네가", "네는", "같은",
)  # fmt: skip

HONORIFICS = "씨 님 군 양 귀하"
TITLES = (
    "대표이사 부사장 사장 회장 부회장 전무이사 상무이사 전무 상무 이사 이사장 감사 본부장 부문장 "
    "사업부장 지사장 지점장 지점장 센터장 실장 부장 차장 과장 계장 대리 주임 사원 팀장 파트장 그룹장 "
    "반장 조장 소장 원장 부원장 국장 처장 청장 서장 총장 부총장 학장 학과장 교수 부교수 조교수 "
    "명예교수 강사 조교 박사 석사 연구원 선임연구원 책임연구원 수석연구원 연구위원 선임 책임 수석 "
    "매니저 프로 리더 디자이너 개발자 엔지니어 컨설턴트 선생님 선생 교사 교감 교장 담임 코치 감독 "
    "선수 작가 기자 앵커 아나운서 피디 PD 시인 화백 가수 배우 의원 국회의원 장관 차관 총리 대통령 "
    "시장 도지사 지사 구청장 군수 주무관 사무관 서기관 검사 판사 변호사 법무사 세무사 회계사 노무사 "
    "변리사 공인중개사 의사 전문의 간호사 수간호사 약사 한의사 물리치료사 환자 환자분 원생 학생 학우 "
    "어르신 할머니 할아버지 아버님 어머님 고객 고객님 회원 회원님 손님 경위 경감 장군 제독 경사 순경 "
    "소방관 대위 중위 소위 대령 중령 소령 병장 상병 일병 이병 상사 중사 하사 목사 신부 스님 집사 장로 "
    "권사 기사 기사님 이장 통장 위원 위원장 간사 담당자 담당 대표 행원 상담사 상담원 사서 조합원 "
    "조합장 후보 후보자 양 군"
).split()

# A name comes next; a low line stands for a blank that may be missing.
LABELS = (
    "성명 이름 성함 본명 실명 고객명 고객 예금주 수령인 수령자 수취인 수신인 수신자 수신 발신인 "
    "발신자 발신 보내는_사람 보내는_분 받는_사람 받는_분 받는_이 보낸_사람 보내는_이 신청인 신청자 "
    "신청인_성명 대리인 위임인 수임인 담당자 담당자명 담당 작성자 기안자 검토자 승인자 결재자 환자명 "
    "환자 환자_성명 보호자 피보험자 보험계약자 계약자 계약자명 대표자 대표자명 대표이사 대표 사용자명 "
    "회원명 회원 가입자 가입자명 명의자 명의인 예약자 예약자명 주문자 주문자명 구매자 구매자명 판매자 "
    "임차인 임대인 매수인 매도인 원고 피고 피고인 피의자 증인 참고인 목격자 피해자 가해자 고소인 "
    "피고소인 채권자 채무자 보증인 연대보증인 저자 지은이 옮긴이 강사 강사명 참석자 참가자 응시자 "
    "수험생 지원자 합격자 학생 학생명 학부모 입금자 입금자명 송금인 배우자 아버지 어머니 남편 아내 "
    "아들 딸 형 동생 언니 누나 오빠 친구 상사 동료 팀장 과장 부장 대리 사장 직원 직원명 사원 사원명 "
    "근로자 성명/직위 교수 선생님 상담원 상담사 민원인 소유자 소유주 세대주 본인 당사자 입사자 퇴사자 "
    "신입사원 인솔자 연락_담당"
).split()

ENGLISH_GIVEN = frozenset(
    """
    aaron abigail adam adrian adriana adrienne ahmed aidan aimee aisha akira alan albert alec alejandra
    alejandro alex alexa alexander alexandra alexandria alexis alfred ali alice alicia alisha alison
    allen allison alvin alyssa amanda amber amelia amy ana ananya anastasia andre andrea andres andrew
    angela angelica angie anil anita ann anna anne annette anthony antonio ariana ariel arjun arthur
    ashlee ashley astrid audrey austin bailey barbara barry becky belinda benjamin bernard beth bethany
    betty beverly bianca bill billy blake bob bobby bonnie boris brad bradley brady brandi brandon
    breanna brenda brendan brent brett brian briana brianna bridget brittany brittney brooke bruce bryan
    bryce caitlin caitlyn caleb calvin cameron camille candace candice carl carla carlos carly carmen
    carol caroline carolyn carrie casey cassandra cassidy cassie catherine cathy cesar chad charlene
    charles charlotte chelsea chelsey chen cheryl chloe chris christian christie christina christine
    christopher christy cindy claire clara clarence claudia clayton clifford clinton cody colin colleen
    colton connie connor corey cory courtney craig cristian cristina crystal curtis cynthia daisy damon
    dana daniel danielle danny darin darius darlene darrell darren darryl daryl dave david dawn deanna
    debbie deborah debra denise dennis derek derrick desiree devin devon diana diane dillon dmitri
    dominic dominique donald donna doris dorothy douglas duane dustin dwayne dylan eddie edgar eduardo
    edward edwin eileen elaine eleanor elena elijah elizabeth ella ellen emily emma eric erica erik
    erika erin ernest ethan eugene eva evan evelyn fatima felicia fernando fiona frances francesca
    francis francisco francois frank fred frederick gabriel gabriela gabriella gabrielle gail gareth
    garrett gary gavin geoffrey george gerald gilbert gina giulia glenda glenn gloria gordon graham greg
    gregg gregory gwendolyn hailey haley hannah hans harold harry haruto hayley heather hector heidi
    helen henry herbert hiroshi holly howard hugh hyunwoo ian ingrid irene isaac isabel isabella isaiah
    ivan ivanov jack jackie jaclyn jacob jacqueline jacques jaime jake james jamie jane janet janice
    jared jasmin jasmine jason javier jay jean jeanette jeanne jeff jeffery jeffrey jenna jennifer jenny
    jeremiah jeremy jermaine jerome jerry jesse jessica jihoon jill jillian jim jimmy jisoo jiwoo jo
    joan joann joanna joanne jocelyn jodi jody joe joel john johnathan johnny jon jonathan jonathon
    jordan jorge jose joseph joshua joyce juan judith judy julia julian julie junho jurgen justin
    kaitlin kaitlyn kara karen kari karina karl karla kate katelyn katherine kathleen kathryn kathy
    katie katrina kayla kaylee keith kelli kellie kelly kelsey kendra kenji kenneth kerri kerry kevin
    kiara kim kimberly kirk kirsten klaus krista kristen kristi kristie kristin kristina kristine
    kristopher kristy krystal kurt kyle kylie lacey larry lars latasha latoya laura lauren laurie
    lawrence leah lee leo leon leonard leroy leslie levi lewis liam linda lindsay lindsey lisa logan
    lonnie loretta lori lorraine louis louise luca lucas lucia lucy luis luke lydia lynn mackenzie
    madeline madison makayla malik mallory mandy manon manuel marc marcia marco marcus margaret maria
    mariah marie marilyn mario marisa marissa mark marta martha martin marvin mary mason mathew matteo
    matthew maureen maurice maxwell mckenzie meagan megan meghan mei melanie melinda melissa melvin
    meredith mia michael michaela micheal michele michelle miguel mikayla mike mindy ming minji minjun
    minsu miranda mitchell mohammed molly monica monique morgan nancy naomi natalie natasha nathan
    nathaniel neil nicholas nichole nicola nicolas nicole nina noah nora norma norman olga oliver olivia
    omar oscar owen pablo pamela patricia patrick patty paul paula pedro peggy peter philip phillip
    phoebe phyllis pierre priscilla priya rachael rachel raj ralph randall randy ravi raymond rebecca
    rebekah regina reginald renee rhonda ricardo richard rick rickey ricky riley rita robert roberta
    roberto robin robyn rodney roger ronald ronnie rose ross roy ruben russell ruth ryan sabrina sally
    samantha samuel sandra sanjay sara sarah scott sean sebastian selena seojun seoyeon sergio seth
    shane shannon shari sharon shaun shawn shawna sheena sheila shelby shelia shelley shelly sheri
    sherri sherry sheryl shirley simon sofia sonia sonya sophia sophie spencer stacey stacie stacy
    stanley stefanie stella stephanie stephen steve steven stuart sungho susan suzanne sven sylvia
    tabitha tamara tami tammie tammy tanya tara tasha taylor teresa terrance terrence terri terry
    theodore theresa thomas tiffany tim timothy tina toby todd tom tommy toni tony tonya tracey traci
    tracie tracy travis trevor tricia tristan troy tyler tyrone valerie vanessa vernon veronica vicki
    vickie victor victoria vincent virginia walter wanda wayne wei wendy wesley whitney william willie
    wyatt xavier yesenia yolanda youngho yuki yuna yvette yvonne zachary zoe
    """.split()
)
