/** The cache of sessions that are taken up again: the firmware's never are. */
export default null;
