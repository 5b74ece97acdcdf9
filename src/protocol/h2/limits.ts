/**
 * The numbers of HTTP/2 that are ours to choose, each with its reason. What a peer can drive has a limit here; what the
 * RFC fixes is in frames.ts.
 */

/** Bytes a server may send on one stream before we credit it; 64 KiB cost half as much CPU again at 1 MiB bodies. */
export const STREAM_WINDOW = 1_048_576;

/** What the window of a stream grows to, in bytes, where the round trip is what limits it. */
export const LARGEST_STREAM_WINDOW = 8_388_608;

/** Bytes a server may send on all streams together. It is credited at receipt: the streams' windows bound the memory. */
export const CONNECTION_WINDOW = 16_777_216;

/** A collected body of known length up to here gets all its credit at once, in bytes: its buffer exists anyway. */
export const LARGEST_PREPAID_BODY = 67_108_864;

/** Our MAX_FRAME_SIZE, the RFC's default: larger frames gained nothing, servers send 8 to 16 KiB. */
export const FRAME_SIZE = 16_384;

/** Our HEADER_TABLE_SIZE, the RFC's default, and the most that our own encoder uses whatever a server offers. */
export const TABLE_SIZE = 4096;

/** Frames of one field block, empty ones counted. A block of 64 KiB needs 4. */
export const LONGEST_BLOCK_FRAMES = 16;

/** A decoded list so many times over the limit ends the connection, not only its stream. */
export const HOPELESS_LIST = 4;

/** Settings in one frame: there are seven. */
export const SETTINGS_A_FRAME = 32;

/** 1xx answers to one request. */
export const INFORMATIONAL_HEADS = 64;

/** Streams begun before the server has told its limit: what the RFC recommends as the lowest. */
export const STREAMS_BEFORE_SETTINGS = 100;

/** Streams open at once on one connection, whatever the server allows. */
export const MOST_STREAMS = 1000;

/** The last stream of a connection, 2^30: half of what ids allow, so that none is ever missing. */
export const LAST_STREAM_ID = 1_073_741_824;

/** What misbehaviour may cost before it ends the connection. */
export const BUDGET = 1000;

/** How much of it comes back each second: servers may ping, and change their mind, now and then. */
export const BUDGET_PER_SECOND = 33;

/** What a reset costs that the server made us send: an attack makes us reset streams that it goes on working at. */
export const RESET_COST = 4;

/** Bytes of answers to PING and SETTINGS that may wait behind a socket that does not drain. */
export const UNSENT_REPLIES = 16_384;

/** Streams that we have reset and still remember: frames for them are late, not wrong. */
export const REMEMBERED_RESETS = 4096;

/** Bytes of output made in one go. More of them only delay control frames. */
export const OUTPUT_HIGH_WATER = 65_536;

/** Bytes of GOAWAY's debug data that are kept for messages. */
export const DEBUG_TEXT = 256;
