// What everybody is greeted with.
export const greeting = (name) => `hello, ${name}`;
