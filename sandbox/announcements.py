"""What WhatsApp says before it records: the published sentences, and who speaks them."""

from sandbox.validation import Announced

_RECORDED = {
    "en": "The audio of this call will be recorded for the following purpose:",
    "nl": "De audio van dit gesprek wordt voor het volgende doeleinde opgenomen:",
    "fr": "L'audio de cet appel sera enregistré aux fins suivantes :",
    "de": "Dieser Anruf wird zu folgenden Zwecken aufgezeichnet:",
    "hi": "इस कॉल के ऑडियो को इस उद्देश्य के लिए रिकॉर्ड किया जाएगा:",
    "it": "L'audio di questa chiamata verrà registrato per il seguente scopo:",
    "kn": "ಈ ಕರೆಯ ಆಡಿಯೊವನ್ನು ಈ ಕೆಳಗಿನ ಉದ್ದೇಶಕ್ಕಾಗಿ ರೆಕಾರ್ಡ್ ಮಾಡಲಾಗುತ್ತದೆ:",
    "pt": "O áudio desta ligação será gravado para a seguinte finalidade:",
    "es": "El audio de esta llamada se grabará con el siguiente propósito:",
    "es_ES": "El audio de esta llamada se grabará con el fin siguiente:",
    "te": "ఈ కాల్ ఆడియోను క్రింది అవసరం కోసం రికార్డ్ చేయడం జరుగుతుంది:",
    "vi": "Âm thanh của cuộc gọi này sẽ được ghi lại cho mục đích sau:",
}
_BOTH = {
    "en": "The audio of this call will be recorded and transcribed for the following purpose:",
    "nl": "De audio van dit gesprek wordt opgenomen en getranscribeerd voor het volgende "
    "doeleinde:",
    "fr": "L'audio de cet appel sera enregistré et transcrit aux fins suivantes :",
    "de": "Dieser Anruf wird zu folgenden Zwecken aufgezeichnet und transkribiert:",
    "hi": "इस कॉल के ऑडियो को इस उद्देश्य के लिए रिकॉर्ड और ट्रांसक्राइब किया जाएगा:",
    "it": "L'audio di questa chiamata verrà registrato e trascritto per il seguente scopo:",
    "kn": "ಈ ಕರೆಯ ಆಡಿಯೋವನ್ನು ರೆಕಾರ್ಡ್ ಮಾಡಲಾಗುತ್ತದೆ ಮತ್ತು ಕೆಳಗಿನ ಉದ್ದೇಶಕ್ಕಾಗಿ ಲಿಪ್ಯಂತರಿಸಲಾಗುತ್ತದೆ:",
    "pt": "O áudio desta ligação será gravado e transcrito para a seguinte finalidade:",
    "es": "El audio de esta llamada se grabará y transcribirá con el siguiente propósito:",
    "es_ES": "El audio de esta llamada se grabará y transcribirá con este fin:",
    "te": "ఈ కాల్ ఆడియో క్రింది అవసరం కోసం రికార్డ్ చేసి, ట్రాన్స్క్రైబ్ చేయడం జరుగుతుంది:",
    "vi": "Âm thanh của cuộc gọi này sẽ được ghi âm và chép lời cho mục đích sau:",
}
_TRANSCRIBED = "The audio of this call will be transcribed for the following purpose:"
_VOICES = {"pt": "pt-br", "es": "es-419", "es_ES": "es"}


def announcement(
    recording: Announced | None, transcription: Announced | None
) -> tuple[str, str] | None:
    """Return the sentence and the voice; None where nothing was asked for.

    With both there is one sentence, in the recording's words. Meta publishes none for a
    transcript alone: it is spoken in English here.
    """
    if recording is not None:
        language = _language(recording.announcement_language)
        words = _RECORDED if transcription is None else _BOTH
        return f"{words[language]} {recording.purpose}", _VOICES.get(language, language)
    if transcription is not None:
        return f"{_TRANSCRIBED} {transcription.purpose}", "en"
    return None


def _language(code: str) -> str:
    """Variants of English are spoken alike."""
    return code if code in _RECORDED else code.partition("_")[0]
