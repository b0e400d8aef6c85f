"""The words in which people ask to be left alone, in twelve languages, and those that may stand beside them: data only.

Written without accents. Who reads a phrase here asks for silence whatever the product is; words that often are about
an order or an appointment ("cancel", "end") are not among them.
"""

from app.rules.text_matching import Phrase, without_accents, words_of


def _phrases(text: str) -> frozenset[Phrase]:
    return frozenset(without_accents(words_of(one)) for one in text.split(",") if one.strip())


def _words(text: str) -> frozenset[str]:
    return frozenset(without_accents(words_of(text)))


WISHES = _phrases(
    # English
    "stop, no stop, sotp, stpo, stopall, stop all, unsubscribe, unsubscribed, unsub, unsuscribe, unsubcribe, optout,"
    "opt out, opt me out, opting out, revoke, remove me, take me off, delete me, delete my number, remove my number,"
    "lose my number, leave me alone, leave us alone, no more messages, no more texts, no more sms, no more spam,"
    "go away, don't text me, dont text me, do not text me, never text me, quit texting me,"
    "don't message me, dont message me, do not message me, quit messaging me,"
    "don't contact me, dont contact me, do not contact me, never contact me,"
    "don't text, dont text, do not text, never text, don't message, dont message, do not message, never message,"
    "don't contact, dont contact, do not contact, never contact, un subscribe, remove this number, delete my data,"
    "fuck off, piss off,"
    "don't write to me, dont write to me, do not write to me, don't send me, dont send me, do not send me,"
    # Spanish
    "alto, baja, darme de baja, dar de baja, deme de baja, dame de baja, denme de baja, desuscribir, desuscribirme,"
    "desuscribanme, cancelar suscripcion, no me escriban, no me escriba, no me escribas, no me envien, no me envie,"
    "no me manden, no me mande, no mas mensajes, no quiero mensajes, no quiero mas mensajes, no quiero recibir,"
    "dejen de, deja de, deje de, dejenme en paz, dejame en paz, basta, ya basta, parar, paren,"
    # French
    "arret, arreter, arretez, arrete, desabonner, desabonnez, desabonnement, me desabonner, desabonnez moi,"
    "desinscrire, me desinscrire, desinscrivez moi, ne m'ecrivez plus, ne m'envoyez plus, ne me contactez plus,"
    "plus de messages, plus de sms, laissez moi tranquille, retirez moi, supprimez mon numero,"
    # German
    "stopp, abmelden, abbestellen, austragen, aufhoren, hort auf, hor auf, horen sie auf, keine nachrichten,"
    "keine weiteren nachrichten, keine nachrichten mehr, keine sms, keine werbung, schreiben sie mir nicht mehr,"
    "schreibt mir nicht mehr, schreib mir nicht mehr, nicht mehr schreiben, nicht mehr kontaktieren,"
    "kontaktieren sie mich nicht mehr, schicken sie mir nichts mehr, schickt mir nichts mehr,"
    "losch meine nummer, losche meine nummer, loscht meine nummer, lasst mich in ruhe,"
    "lass mich in ruhe, lassen sie mich in ruhe, loschen sie meine nummer, melden sie mich ab, meldet mich ab,"
    # Portuguese
    "sair, pare, parem, descadastrar, descadastre, me descadastre, cancelar inscricao, nao me mande, nao me mandem,"
    "nao me envie, nao me enviem, nao quero mais, nao quero receber,"
    "nao quero mais receber, nao quero mensagens, me remova,"
    "me removam, me tire, me tirem, chega de mensagens, sem mensagens, me deixe em paz, me deixem em paz,"
    # Italian
    "disiscrivimi, disiscrivetemi, disiscrivermi, cancellami, cancellatemi, smettila, smettetela, smettete di,"
    "smetti di, fermatevi, non scrivetemi, non scrivermi, non mandatemi, non mandarmi, non inviatemi,"
    "non contattatemi, non voglio messaggi, non voglio piu ricevere, niente messaggi, lasciatemi in pace,"
    # Dutch and Turkish
    "afmelden, uitschrijven, schrijf me uit, geen berichten, stuur me niets, durdur, mesaj atmayin,"
    "mesaj gondermeyin, abonelikten cik, beni listeden cikar,"
    # Written by anybody
    "\U0001f6d1, отписаться, отпишите меня, стоп, не пишите мне, не присылайте,"
    "退订, 停止, 取消订阅, توقف, أوقف, اوقف, إلغاء الاشتراك, 수신거부, 수신 거부"
)

# What is said out of politeness or impatience beside a wish, and changes nothing in it.
COURTESY = _words(
    "please pls plz plse kindly thanks thank you thankyou thx tks ty cheers sorry now immediately asap today "
    "already sir madam mate guys folks hi hello hey dear bye goodbye regards kind best "
    "por favor gracias muchas hola ahora ya mismo inmediatamente adios saludos "
    "svp stp s'il vous te plait merci beaucoup bonjour salut maintenant immediatement cordialement "
    "bitte danke vielen dank jetzt sofort endlich hallo mfg gruss grusse viele liebe mit freundlichen grussen "
    "obrigado obrigada muito agora ja ola oi urgente "
    "per favore grazie mille adesso subito ora ciao buongiorno "
    "alsjeblieft alstublieft aub dank je u nu bedankt lutfen tesekkurler sagol hemen пожалуйста спасибо 请谢"
)

# What a wish to get no more messages may speak of, so that it is not about a parcel or a bus.
ABOUT_MESSAGES = _words(
    "i im i'm me my us we you your the this that these those it all any more further of from to for with and ok okay k "
    "list lists mailing number phone cell message messages messaging msg msgs text texts texting sms smses whatsapp "
    "whatsapps sending send contacting contact calling writing receiving receive getting get notifications alerts ads "
    "wrong spamming messaging harassing bothering annoying or else will sue report you very much understanding "
    "system database contacts records advertising marketing promotions promos spam newsletter newsletters want wish "
    "would like said told asked "
    "everything anything nothing forever completely permanently anymore ever again right away bot yes "
    "yo mi mis su sus este estos esos eso el los la las les todo todos mensaje mensajes textos publicidad de a al que "
    "quiero quisiera deseo enviar enviarme enviando mandar mandarme mandando escribir escribirme escribiendo recibir "
    "numero lista mas "
    "je moi m nous vous vos votre ces ce cette le l tous toutes tout pub publicite d du des un une envoyer recevoir "
    "veux voudrais souhaite souhaiterais liste mon ma "
    "ich mir mich uns sie ihr ihre ihren euch eure du deine diese dieser dieses die das der den dem alle "
    "nachricht nachrichten werbung zu schicken senden schreiben von vom aus verteiler nummer mochte wollte damit "
    "eu meu minha sua suas seu seus esses essas as os o da das dos mensagem mensagens quero gostaria mandar mandando "
    "enviando receber "
    "io gli le il lo questi queste questo tutti tutte messaggi messaggio pubblicita di dalla voglio vorrei inviare "
    "inviarmi mandarmi scrivere scrivermi ricevere piu "
    "ik mij berichten deze bana artik"
)
