// Parts of a page that are loaded when they are first shown. Dynamic imports are relative to this folder.
export const traceLine = async (traceId) => (await import("./run/trace-line.js")).traceLine(traceId);
