// Stands for packages that draw: nothing is drawn here. Whatever is taken of it is there, and does nothing.
const nothing = new Proxy(function () {}, {
  get: (target, name) => (name === "prototype" ? target.prototype : typeof name === "symbol" || name === "__esModule" || name === "then" ? undefined : nothing),
  apply: () => nothing,
  construct: () => ({}),
});
// what is imported by name is looked up in the prototype
module.exports = Object.setPrototypeOf(function () {}, nothing);
