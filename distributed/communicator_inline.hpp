#pragma once
// Typed front of Communicator; included by communicator.hpp only.
