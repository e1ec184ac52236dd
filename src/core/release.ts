/** The release that this code is: what package.json says, which the Worker does not take along. A test compares them. */
export const RELEASE = '0.1.0'
