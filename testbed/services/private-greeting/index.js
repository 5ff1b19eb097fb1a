// The greeting for everyone.
export const greeting = (name) => `hello, ${name}`;
