"""What servers were seen to send and do not document: events, and headers of documented events.

Source: recordings of Asterisk 16.28.0 and 22.10.1, those of ``tests/data`` among them. What a server documents by now
is to be removed here: the generator says so.
"""

from __future__ import annotations

BOTH = ("16", "22")

#: Headers, by event.
HEADERS = {
    "AttendedTransfer": "IsExternal",
    "CEL": "Channel",
    "ConfbridgeList": "EndMarkedAny",
    "EndpointDetail": "FollowRedirectMethods",
    "QueueParams": "Queue ServiceLevel Weight",
    "Status": "Variable",
}

_MAILBOX = """
VMContext VoiceMailbox Fullname Email Pager ServerEmail FromString MailCommand Language TimeZone Callback Dialout
UniqueID ExitContext SayDurationMinimum SayEnvelope SayCID AttachMessage AttachmentFormat DeleteMessage VolumeGain
CanReview CallOperator MaxMessageCount MaxMessageLength NewMessageCount OldMessageCount CanMarkUrgent
"""
_PEER = """
Channeltype ObjectName ChanObjectType IPaddress IPport Dynamic AutoForcerport Forcerport AutoComedia Comedia
VideoSupport TextSupport ACL Status RealtimeDevice Description Accountcode Mask Port Trunk Encryption
"""
_TEST = """
Type State AppFile AppFunction AppLine Channel CallID PriorCallID Contact AOR Expiration UserAgent Result Message
Control Attempt Dialled Feature Port Conference OldState NewState Mode
"""
_QUEUE_MEMBER = """
Queue Name Location StateInterface Membership Penalty CallsTaken LastCall LastPause LoginTime InCall Status Paused
PausedReason Wrapuptime
"""
_BRIDGE = "BridgeUniqueid BridgeType BridgeTechnology BridgeCreator BridgeName BridgeNumChannels BridgeVideoSourceMode"

#: Events: modules, servers and headers. Most are entries of lists, or the end of one.
EVENTS = {
    "BridgeListComplete": ("builtin", BOTH, ""),
    "BridgeListItem": ("builtin", BOTH, _BRIDGE),
    "BridgeTechnologyListComplete": ("builtin", BOTH, ""),
    "BridgeTechnologyListItem": ("builtin", BOTH, "BridgeTechnology BridgeType BridgePriority BridgeSuspended"),
    "ChannelHungup": ("builtin", BOTH, "Channel"),
    "ChannelsHungupListComplete": ("builtin", BOTH, ""),
    "ConfbridgeListComplete": ("app_confbridge", BOTH, ""),
    "ConfbridgeListRoomsComplete": ("app_confbridge", BOTH, ""),
    "ContactStatusDetailComplete": ("res_pjsip", BOTH, ""),
    "DBGetComplete": ("builtin", BOTH, ""),
    "DBGetResponse": ("builtin", BOTH, "Family Key Val"),
    "DBGetTreeComplete": ("builtin", BOTH, ""),
    "DBGetTreeResponse": ("builtin", BOTH, "Key Val"),
    "DeviceEntry": (
        "chan_skinny",
        ("16",),
        "Channeltype ObjectName ChannelObjectType DeviceId IPaddress Type Devicestatus NumberOfLines",
    ),
    "InboundRegistrationDetailComplete": ("res_pjsip", BOTH, ""),
    "InboundSubscriptionDetailComplete": ("res_pjsip_pubsub", BOTH, ""),
    "LineEntry": ("chan_skinny", ("16",), "Channeltype ObjectName ChannelObjectType Device Instance Label"),
    "ListDialplan": (
        "pbx_config",
        BOTH,
        "Context Extension ExtensionLabel Priority Application AppData Registrar IncludeContext",
    ),
    "OutboundRegistrationDetailComplete": ("res_pjsip_outbound_registration", BOTH, "Registered NotRegistered"),
    "OutboundSubscriptionDetailComplete": ("res_pjsip_pubsub", BOTH, ""),
    "ParkedCallsComplete": ("res_parking", BOTH, "Total"),
    "Parkinglot": ("res_parking", BOTH, "Name StartSpace StopSpace Timeout"),
    "ParkinglotsComplete": ("res_parking", BOTH, ""),
    "PeerEntry": ("chan_iax2 chan_sip", BOTH, _PEER),
    "PeerlistComplete": ("chan_iax2 chan_sip", BOTH, ""),
    "QueueMember": ("app_queue", BOTH, _QUEUE_MEMBER),
    "QueueStatusComplete": ("app_queue", BOTH, ""),
    "QueueSummary": ("app_queue", BOTH, "Queue LoggedIn Available Callers HoldTime TalkTime LongestHoldTime"),
    "QueueSummaryComplete": ("app_queue", BOTH, ""),
    "RegistrationsComplete": ("chan_iax2 chan_sip", BOTH, ""),
    "ResourceListDetailComplete": ("res_pjsip_pubsub", BOTH, ""),
    "ShowDialPlanComplete": ("pbx_config", BOTH, "ListExtensions ListPriorities ListContexts"),
    "TestEvent": ("builtin", BOTH, _TEST),
    "VoicemailBoxDetail": ("app_voicemail", ("22",), "Folder CallerID Date Duration Flag ID"),
    "VoicemailBoxDetailComplete": ("app_voicemail", ("22",), ""),
    "VoicemailUserDetail": ("app_voicemail", BOTH, _MAILBOX),
    "VoicemailUserDetailComplete": ("app_voicemail", BOTH, ""),
    "VoicemailUserEntry": ("app_voicemail", BOTH, _MAILBOX),
    "VoicemailUserEntryComplete": ("app_voicemail", BOTH, ""),
    "WaitEventComplete": ("builtin", BOTH, ""),
}
