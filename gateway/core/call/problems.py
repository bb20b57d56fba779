"""What went wrong, in words fit for an agent's screen (Meta's "Error codes" page)."""

from gateway.core.call.call import Problem
from gateway.core.errors import MetaFault

LEG_NOT_READY = Problem(
    "leg_not_ready", "No sound came from your browser in time. Check your microphone."
)
LEG_GONE = Problem("leg_gone", "The connection to your browser was lost.")
AGENT_AWAY = Problem("agent_away", "The agent's browser did not come back in time.")
MEDIA_AWAY = Problem("media_away", "The media worker of this gateway was not reachable.")
MEDIA_FAILED = Problem("media_failed", "The audio path to WhatsApp did not come up.")
MEDIA_LOST = Problem("media_lost", "The audio path to WhatsApp broke.")
META_FAILED = Problem("meta_failed", "WhatsApp reported that the call failed.")
META_UNCLEAR = Problem(
    "meta_unclear", "WhatsApp did not answer, so the call was given up. Try again."
)
META_UNREACHABLE = Problem(
    "meta_unreachable",
    "WhatsApp cannot be reached at the moment, so it was not asked. Try again shortly.",
)
STORE_DOWN = Problem(
    "store_down", "The database of this gateway is not reachable, so nobody was called."
)
CRASHED = Problem("internal", "A fault in this gateway ended the call. It has been reported.")

NOT_SENT = 0
"""`MetaFault.code` of a request that never reached Meta."""
_TOKEN_INVALID = {190}
_RATE_LIMITED = {4, 613, 80007, 130429, 138002, 138005, 138012}
_WORDS = {
    100: "WhatsApp could not read our request.",
    190: "The access token of this number is invalid or has expired. Tell an admin.",
    131030: "This test number may only call the recipients on its list.",
    131042: "WhatsApp refuses because of the business's payment method. Tell an admin.",
    131044: "WhatsApp refuses because the business has no payment method. Tell an admin.",
    131055: "Calls of this number are switched to SIP, so they cannot be placed here.",
    138000: "Calling is not switched on for this number. Tell an admin.",
    138001: "This person cannot be called on WhatsApp.",
    138002: "This number has too many calls at once. Try again later.",
    138003: "A call with this person is already going on.",
    138004: "WhatsApp could not connect the call. Try again.",
    138005: "This number places calls too quickly. Try again later.",
    138006: "This person has not given permission to be called.",
    138007: "WhatsApp gave up because the audio was not set up in time.",
    138008: "WhatsApp did not like our audio description.",
    138012: "This person has been called as often as WhatsApp allows today.",
    138013: "WhatsApp does not offer outgoing calls in the country of this number.",
    138014: "WhatsApp has paused outgoing calls of this number because of its quality.",
    138019: "The person's WhatsApp could not set up the call.",
    138020: "The person's WhatsApp could not reach the network for the call.",
    138021: "The person's WhatsApp heard nothing from us for long and ended the call.",
    138022: "The person's WhatsApp sent no sound for long and ended the call.",
    138023: "The person's WhatsApp ended the call before sound could flow.",
    138038: "Another app is in charge of this number's calls.",
}


def of_refusal(fault: MetaFault) -> Problem:
    """Say why Meta refused a request, keeping what it said itself."""
    if fault.code == NOT_SENT:
        return META_UNREACHABLE
    code = "meta_refused"
    if fault.code in _TOKEN_INVALID:
        code = "token_invalid"
    elif fault.code in _RATE_LIMITED:
        code = "rate_limited"
    elif fault.code == 138006:  # noqa: PLR2004 - Meta's code for a missing permission
        code = "no_permission"
    return Problem(code, _WORDS.get(fault.code, "WhatsApp refused the request."), fault)


def of_end(faults: tuple[MetaFault, ...]) -> Problem:
    """Say why Meta ended a call as failed."""
    if not faults:
        return META_FAILED
    fault = faults[0]
    return Problem(META_FAILED.code, _WORDS.get(fault.code, META_FAILED.detail), fault)
